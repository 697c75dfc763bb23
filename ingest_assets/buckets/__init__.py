"""List, read and write the files of the upload bucket: on a folder, on S3, on Google Cloud Storage."""
