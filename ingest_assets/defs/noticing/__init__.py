"""Notice what comes, changes and goes, and ask for the runs that it needs: sensors, and the resident listener."""
