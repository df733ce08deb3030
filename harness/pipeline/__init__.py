"""The pipeline around the data: annotations measured and taken in, releases, versions, rounds."""
