"""Take in files, locations of objects and chunks that clients have cut, and tell of the jobs that come of them."""
