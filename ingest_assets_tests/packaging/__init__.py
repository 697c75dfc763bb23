"""Tests of what is published and installed: the wheels, the lock, the homes and stores of earlier releases."""
