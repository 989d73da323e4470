# Thin names for the scripts; where there is no make, run the scripts themselves.
.PHONY: run test docs lock bench clean

run: ## the hub on http://127.0.0.1:8000 with the quick-start configuration
	@sh scripts/run.sh

test: ## install what tests need, run all of them (STEPS="lint unit" for a part)
	@sh scripts/test.sh $(STEPS)

docs: ## the documentation into docs/_build/html
	@sh scripts/docs.sh

lock: ## new versions of everything into requirements/
	@python3 scripts/lock.py

bench: ## benchmarks beside JupyterHub 6.1.1 (ARGS="spawn --rounds 3")
	@sh scripts/bench.sh $(ARGS)

clean: ## what the other targets made; keeps examples/quickstart/data
	rm -rf .venv .cache docs/_build .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
