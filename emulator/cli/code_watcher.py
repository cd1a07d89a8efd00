"""Watches the functions' code and deploys what changes; saved code answers about a second later.

A source folder is deployed once nothing has changed in it for a moment. A build folder is deployed when the build
is done: `sam build` removes its template first and writes it last, so nothing is deployed without a template.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from watchfiles import Change, awatch

from emulator.lambda_service.control_plane.code_store import is_ignored
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import LambdaApiError
from emulator.template.errors import ProjectError
from emulator.template.project import FunctionSpec

# Changes are collected until none has followed for _QUIET_MS, but for no longer than _AT_MOST_MS.
_QUIET_MS = 50
_AT_MOST_MS = 400
_LOOK_AGAIN_MS = 300
_BUILD_FOLDER = ".aws-sam"


class CodeWatcher:
    """Deploys a function again when its code or that of one of its layers has changed.

    When the template that declares them changes, a note tells the user to restart. The emulator itself writes the
    ``private`` folders and files; changes in them are ignored.
    """

    def __init__(
        self,
        service: LambdaService,
        functions: Mapping[str, FunctionSpec],
        template: Path,
        private: Iterable[Path] = (),
    ) -> None:
        self._service = service
        self._template = template.resolve()
        self._private = frozenset(path.resolve() for path in private)
        self._template_text = _text(self._template)
        self._folders = {
            logical_id: tuple(folder.resolve() for folder in (spec.code_dir, *spec.layer_dirs))
            for logical_id, spec in functions.items()
        }
        self._is_built = _BUILD_FOLDER in self._template.parts

    async def run(self) -> None:
        """Watch until cancelled."""
        await asyncio.gather(
            self._watch(self._folders_to_watch, self._may_be_code, self._deploy, is_deep=True),
            self._watch(lambda: [self._template.parent], self._is_template, self._check_template, is_deep=False),
        )

    async def _watch(
        self,
        find_folders: Callable[[], list[Path]],
        is_relevant: Callable[[Change, str], bool],
        act: Callable[[set[Path] | None], Awaitable[None]],
        *,
        is_deep: bool,
    ) -> None:
        while True:
            folders = find_folders()
            if not all(folder.exists() for folder in folders):
                # Somebody is replacing a folder or a zip file; its new content counts as a change.
                await asyncio.sleep(_LOOK_AGAIN_MS / 1000)
                continue
            batches = awatch(
                *folders,
                watch_filter=is_relevant,
                step=_QUIET_MS,
                debounce=_AT_MOST_MS,
                rust_timeout=_LOOK_AGAIN_MS,
                yield_on_timeout=True,
                recursive=is_deep,
            )
            try:
                await self._follow(folders, batches, act)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._service.note(f"code changes can't be watched; restart the emulator to deploy them: {error}")
                return

    async def _follow(
        self,
        folders: list[Path],
        batches: AsyncGenerator[set[tuple[Change, str]]],
        act: Callable[[set[Path] | None], Awaitable[None]],
    ) -> None:
        """Act on changes in these folders until one of them was replaced by another folder of the same name."""
        is_first = True
        async with contextlib.aclosing(batches):
            with _kept_open(folders) as are_the_same:
                async for changes in batches:
                    # No batch has the changes from before the watch began, so first everything counts as changed.
                    await act(None if is_first else {Path(path) for _, path in changes})
                    is_first = False
                    if not are_the_same():
                        return

    def _folders_to_watch(self) -> list[Path]:
        """Return the folders to watch; for a build, the folder around them, since each build replaces them."""
        if self._is_built:
            parts = self._template.parts
            return [Path(*parts[: parts.index(_BUILD_FOLDER) + 1])]
        folders = sorted({folder for folders in self._folders.values() for folder in folders})
        return [folder for folder in folders if not any(other in folder.parents for other in folders)]

    def _may_be_code(self, _: Change, path: str) -> bool:
        """Return whether a changed file may belong to a function's code."""
        if not self._private.isdisjoint((Path(path), *Path(path).parents)):
            return False
        return self._functions_of(Path(path)) != set() or (self._is_built and Path(path) == self._template)

    def _functions_of(self, path: Path) -> set[str]:
        return {
            logical_id
            for logical_id, folders in self._folders.items()
            if any(
                path.is_relative_to(folder) and not any(map(is_ignored, path.relative_to(folder).parts))
                for folder in folders
            )
        }

    async def _deploy(self, changed: set[Path] | None) -> None:
        """Deploy the functions that these paths belong to, or all if None. An unchanged function isn't deployed."""
        if self._is_built and not self._template.is_file():
            return
        if changed is None or self._template in changed:
            functions = set(self._folders)
        else:
            functions = {logical_id for path in changed for logical_id in self._functions_of(path)}
        await asyncio.gather(*map(self._redeploy, functions))

    async def _redeploy(self, logical_id: str) -> None:
        if not all(folder.exists() for folder in self._folders[logical_id]):
            return
        try:
            if (sentence := await self._service.deployer.redeploy(logical_id, is_save=True)) is not None:
                self._service.note(sentence)
        except (LambdaApiError, ProjectError) as error:
            self._service.note(str(error))

    def _is_template(self, _: Change, path: str) -> bool:
        return Path(path) == self._template

    async def _check_template(self, changed: set[Path] | None) -> None:
        """Tell the user to restart if the template's text has changed."""
        text = None if changed == set() else _text(self._template)
        if text is not None and text != self._template_text:
            self._template_text = text
            self._service.note(f"{self._template.name} has changed: restart the emulator to apply it")


def _text(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextlib.contextmanager
def _kept_open(folders: Sequence[Path]) -> Iterator[Callable[[], bool]]:
    """Yield a function that tells whether these paths still lead to the same folders.

    The folders are kept open, so that a new folder can't get the inode number of a removed one.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            opened.append(os.fstat(descriptor))

        def are_the_same() -> bool:
            try:
                return all(
                    os.path.samestat(status, folder.stat()) for status, folder in zip(opened, folders, strict=True)
                )
            except OSError:
                return False

        yield are_the_same
