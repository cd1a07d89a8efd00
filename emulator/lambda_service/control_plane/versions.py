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
            self.catalogue.check_updatable(function.name)
            check_revision(revision_id, latest.revision_id)
            if code_sha256 and code_sha256 != latest.code.package_sha256:
                raise InvalidParameterError(
                    f"CodeSHA256 ({code_sha256}) is different from current CodeSHA256 in $LATEST "
                    f"({latest.code.package_sha256}). Please try again with the CodeSHA256 in $LATEST."
                )
            return self.publish_latest(function, description, is_requested=True)

    def list(self, *, function_name: str, marker: str | None = None, max_items: int | None = None) -> Body:
        """List ``$LATEST``, then the published versions, oldest first."""
        function, _ = self.catalogue.get_function(function_name)
        return page("Versions", self.catalogue.describe_versions(function), marker, max_items)

    def publish_deployed(self, *, function_name: str, is_saved: bool) -> Body:
        """Publish ``$LATEST`` as the template's version, or because a file was saved; old ones of these are removed."""
        with self.catalogue.lock:
            function, _ = self.catalogue.get_function(function_name)
            self.catalogue.check_not_updating(function.name)
            body = self.publish_latest(function, is_saved=is_saved)
            function, _ = self.catalogue.get_function(function.name)
            self.catalogue.save(dataclasses.replace(function, deployed_version=body["Version"]))
            return body

    def publish_latest(
        self,
        function: FunctionRecord,
        description: str | None = None,
        *,
        is_saved: bool = False,
        is_requested: bool = False,
    ) -> Body:
        """Publish a function's ``$LATEST``, or return the newest version if that is the same.

        A version that a client of the API has requested is pending for a while, as on AWS.
        """
        newest = function.newest
        if newest is None or not newest.runs_as(function.latest):
            return self._publish(function, description, is_saved=is_saved, is_requested=is_requested)
        if newest.is_saved and not is_saved:
            # Now somebody has asked for it, and it stays.
            requested = dataclasses.replace(newest, is_saved=False)
            function = dataclasses.replace(function, versions={**function.versions, newest.version: requested})
            self.catalogue.save(function)
        return self.catalogue.describe(function, newest, newest.version)

    def _publish(
        self, function: FunctionRecord, description: str | None, *, is_saved: bool, is_requested: bool
    ) -> Body:
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
        if is_requested:
            self.catalogue.changes.begin(function.name, published.version, is_new=True)
        return self.catalogue.describe(changed, published, published.version)
