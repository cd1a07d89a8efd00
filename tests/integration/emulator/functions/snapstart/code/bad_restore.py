"""Its hook after the restore raises."""

from snapshot_restore_py import register_after_restore


@register_after_restore
def hook():
    raise OSError("can't be restored")


def handler(event, context):
    return "never"
