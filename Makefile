# Every verb is one call of the bootstrap, which sets up whatever is missing first. `make help` lists them.
PYTHON ?= python3
VERBS := run install test check reset faults browser bench lock

.PHONY: help $(VERBS)
help:
	@$(PYTHON) backoffice/embedded/bootstrap.py help

$(VERBS):
	@$(PYTHON) backoffice/embedded/bootstrap.py $@
