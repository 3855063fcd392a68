.PHONY: demo test lint types check

demo:
	python3 run.py demo

test:
	python3 run.py test

lint:
	.venv/bin/ruff check
	.venv/bin/ruff format --check

types:
	.venv/bin/mypy

check: lint types test
