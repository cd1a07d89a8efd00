"""Code changes, deployed while the emulator runs: from the save to the new code's answer in about a second.

A source folder is deployed as soon as it has been quiet for a moment. What `sam build` makes is deployed when
the build is done: it removes its template first and writes it last, so without a template nothing is deployed.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from watchfiles import Change, awatch

from emulator.lambda_service.control_plane.code_store import is_ignored
from emulator.lambda_service.data_plane.invoke_service import LambdaService
from emulator.lambda_service.errors import LambdaApiError
from emulator.template.project import FunctionSpec, ProjectError

# Of changes that follow each other, each waits so long for the next one, and all of them at most so long.
_QUIET_MS = 50
_AT_MOST_MS = 400
_LOOK_AGAIN_MS = 300
_BUILD_FOLDER = ".aws-sam"


class CodeWatcher:
    """Deploys functions again when their code, or that of one of their layers, has changed.

    Parameters
    ----------
    service : LambdaService
        Deploys.
    functions : mapping
        By logical id.
    template : Path
        The template that they are from; of a change of it is only said what to do.
    private : iterable of Path
        Folders and files of the emulator's own: a change of them is no change of code.
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
        await asyncio.gather(self._watch_code(), self._watch_template())

    async def _watch_code(self) -> None:
        while True:
            places = self._places()
            if not all(place.is_dir() for place in places):
                # Somebody is about to replace a folder; what is in it then is a change.
                await asyncio.sleep(_LOOK_AGAIN_MS / 1000)
                continue
            try:
                await self._follow(places)
            except FileNotFoundError:
                continue
            except OSError as error:
                self._service.note(f"code changes can't be watched: {error}")
                return

    async def _follow(self, places: list[Path]) -> None:
        """Deploy what changes in these folders until one of them is another folder of the same name."""
        batches = awatch(
            *places,
            watch_filter=self._counts,
            step=_QUIET_MS,
            debounce=_AT_MOST_MS,
            rust_timeout=_LOOK_AGAIN_MS,
            yield_on_timeout=True,
        )
        is_first = True
        async with contextlib.aclosing(batches):
            with _held(places) as are_the_same:
                async for changes in batches:
                    # What changed before the watch began is in no batch.
                    await self._deploy(None if is_first else {Path(path) for _, path in changes})
                    is_first = False
                    if not are_the_same():
                        return

    def _places(self) -> list[Path]:
        """Return the folders to watch; a build replaces its folders, so their parent is watched."""
        if self._is_built:
            parts = self._template.parts
            return [Path(*parts[: parts.index(_BUILD_FOLDER) + 1])]
        folders = sorted({folder for folders in self._folders.values() for folder in folders})
        return [one for one in folders if not any(other in one.parents for other in folders)]

    def _counts(self, _: Change, path: str) -> bool:
        """Return whether a change can be one of code."""
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
        """Deploy the functions that these paths belong to; None for all. One that has not changed costs nothing."""
        if self._is_built and not self._template.is_file():
            return
        if changed is None or self._template in changed:
            functions = set(self._folders)
        else:
            functions = {logical_id for path in changed for logical_id in self._functions_of(path)}
        await asyncio.gather(*map(self._redeploy, functions))

    async def _redeploy(self, logical_id: str) -> None:
        if not all(folder.is_dir() for folder in self._folders[logical_id]):
            return
        try:
            if await self._service.redeploy(logical_id, is_save=True):
                self._service.note(f"{logical_id}: changed code is deployed")
        except (LambdaApiError, ProjectError) as error:
            self._service.note(str(error))

    async def _watch_template(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_AGAIN_MS / 1000)
            text = _text(self._template)
            if text is not None and text != self._template_text:
                self._template_text = text
                self._service.note(f"{self._template.name} has changed: start the emulator anew to apply it")


def _text(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except OSError:
        return None


@contextlib.contextmanager
def _held(folders: Sequence[Path]) -> Iterator[Callable[[], bool]]:
    """Yield a function that says whether these paths still lead to the folders that they lead to now.

    The folders are kept open: the number of one that is removed is not given to another one meanwhile.
    """
    with contextlib.ExitStack() as stack:
        opened = []
        for folder in folders:
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            stack.callback(os.close, descriptor)
            opened.append(os.fstat(descriptor))

        def are_the_same() -> bool:
            try:
                return all(os.path.samestat(was, folder.stat()) for was, folder in zip(opened, folders, strict=True))
            except OSError:
                return False

        yield are_the_same
