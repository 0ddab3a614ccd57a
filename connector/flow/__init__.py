"""Async rooms without libraries: the road of one record and of many, speaking to the world through ports."""
