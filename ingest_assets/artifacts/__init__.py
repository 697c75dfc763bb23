"""Keep the results of the stages on disk, and remember what files needed."""
