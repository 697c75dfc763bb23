"""Let several processes use one embedded Chroma store, and restore its index after one of them was killed."""
