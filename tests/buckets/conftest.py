from tests.buckets.fixtures import cloud, s3, s3_server

__all__ = ["cloud", "s3", "s3_server"]
