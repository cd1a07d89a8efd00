"""Works with s3fs on a bucket, in the environment that has s3fs: ``python s3fs_session.py URL BUCKET``.

A file system over aiobotocore, as pandas and Dask use it.
"""

from __future__ import annotations

import sys

import s3fs

LARGE = bytes(range(256)) * 50_000


def work_with(files: s3fs.S3FileSystem, bucket: str) -> None:
    files.pipe(f"{bucket}/a/small ü.txt", b"small")
    assert files.cat(f"{bucket}/a/small ü.txt") == b"small"
    assert files.cat_file(f"{bucket}/a/small ü.txt", start=1, end=3) == b"ma"
    with files.open(f"{bucket}/a/large", "wb", block_size=5 * 1024 * 1024) as file:
        file.write(LARGE)
    with files.open(f"{bucket}/a/large", "rb", block_size=1_000_000) as file:
        file.seek(7_000_000)
        assert file.read(10) == LARGE[7_000_000:7_000_010]
        file.seek(0)
        assert file.read() == LARGE
    assert files.info(f"{bucket}/a/large")["size"] == len(LARGE)
    files.copy(f"{bucket}/a/large", f"{bucket}/b/copy")
    files.mv(f"{bucket}/b/copy", f"{bucket}/b/moved")
    assert files.find(bucket) == [f"{bucket}/a/large", f"{bucket}/a/small ü.txt", f"{bucket}/b/moved"]
    assert files.ls(bucket, detail=False, refresh=True) == [f"{bucket}/a", f"{bucket}/b"]
    assert files.glob(f"{bucket}/*/mov*") == [f"{bucket}/b/moved"]
    assert not files.exists(f"{bucket}/none")
    try:
        files.cat(f"{bucket}/none")
    except FileNotFoundError:
        pass
    else:
        raise AssertionError("a missing file was read")
    files.pipe(f"{bucket}/new", b"1", mode="create")
    try:
        files.pipe(f"{bucket}/new", b"2", mode="create")
    except FileExistsError:
        pass
    else:
        raise AssertionError("a file was made twice")
    files.rm(bucket, recursive=True)
    assert not files.exists(bucket)


if __name__ == "__main__":
    work_with(
        s3fs.S3FileSystem(
            key="test", secret="test", endpoint_url=sys.argv[1], client_kwargs={"region_name": "us-east-1"}
        ),
        sys.argv[2],
    )
