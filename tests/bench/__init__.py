"""The measured bars: `python -m tests.bench [NAME …] [--quick] [--json FILE]`."""
