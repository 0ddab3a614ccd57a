"""The chart on a real Kubernetes API server: `make cluster`. Needs root, Go and Linux; not part of `make test`."""
