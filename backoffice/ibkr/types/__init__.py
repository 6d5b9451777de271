"""Requests and answers, one module per family. Requests forbid unknown fields; answers tolerate them and keep `raw`."""
