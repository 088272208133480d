"""The benchmarks of a checkout: each challenge against its peers."""
