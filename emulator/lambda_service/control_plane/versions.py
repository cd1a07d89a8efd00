"""Operations on versions: published from ``$LATEST``, never changed, their numbers never used again."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from emulator.lambda_service.control_plane.account import FunctionRecord
from emulator.lambda_service.control_plane.catalogue import Catalogue, check_revision
from emulator.lambda_service.control_plane.pages import Body, page
from emulator.lambda_service.errors import InvalidParameterError


@dataclass(frozen=True, slots=True)
class VersionOperations:
    """`PublishVersion` and `ListVersionsByFunction`."""

    catalogue: Catalogue

    def publish(
        self,
        *,
        function_name: str,
        description: str | None = None,
        code_sha256: str | None = None,
        revision_id: str | None = None,
    ) -> Body:
        """Publish ``$LATEST``, or return the newest version again if that is the same.

        `code_sha256` and `revision_id` must be those of ``$LATEST``; `description` replaces the configuration's.
        """
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            latest = function.latest
            self.catalogue.check_not_updating(function.name)
            check_revision(revision_id, latest.revision_id)
            if code_sha256 and code_sha256 != latest.code.package_sha256:
                raise InvalidParameterError(
                    f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
                    f"({latest.code.package_sha256}). Please try again with the CodeSHA256 in $LATEST."
                )
            return self.publish_latest(function, description)

    def list(self, *, function_name: str, marker: str | None = None, max_items: int | None = None) -> Body:
        """List ``$LATEST``, then the published versions, oldest first."""
        function, _ = self.catalogue.get_function(function_name)
        versions = [self.catalogue.describe(function, record, record.version) for record in function.all_versions()]
        return page("Versions", versions, marker, max_items)

    def publish_saved(self, *, function_name: str) -> Body:
        """Publish ``$LATEST`` because a file was saved; old ones of these are removed."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            return self.publish_latest(function, is_saved=True)

    def publish_latest(
        self, function: FunctionRecord, description: str | None = None, *, is_saved: bool = False
    ) -> Body:
        """Publish a function's ``$LATEST``, or return the newest version if that is the same."""
        newest = function.newest
        if newest is None or not newest.runs_as(function.latest):
            return self._publish(function, description, is_saved=is_saved)
        if newest.is_saved and not is_saved:
            # Now somebody has asked for it, and it stays.
            requested = dataclasses.replace(newest, is_saved=False)
            function = dataclasses.replace(function, versions={**function.versions, newest.version: requested})
            self.catalogue.save(function)
        return self.catalogue.describe(function, newest, newest.version)

    def _publish(self, function: FunctionRecord, description: str | None, *, is_saved: bool) -> Body:
        published = dataclasses.replace(
            function.latest,
            version=str(function.next_version),
            description=description or None,
            revision_id=self.catalogue.new_revision(),
            last_modified=self.catalogue.timestamp(),
            is_saved=is_saved,
        )
        changed = dataclasses.replace(
            function,
            # Fidelity: publishing gives $LATEST another revision, too.
            latest=dataclasses.replace(function.latest, revision_id=self.catalogue.new_revision()),
            versions={**function.versions, published.version: published},
            next_version=function.next_version + 1,
        )
        self.catalogue.save(changed)
        return self.catalogue.describe(changed, published, published.version)
