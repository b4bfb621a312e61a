JOBS ?= $(shell nproc)
.DEFAULT_GOAL := build
.PHONY: build demo demo-kafka test test-quick model model-long simulate explore soak mutants fuzz bench lint format clean help packages

build: packages  ## the program, optimised: build/bin/write-aside
	cmake --preset release >/dev/null
	cmake --build build --parallel $(JOBS)

demo:  ## install what is missing, build, run the main job on SQLite and a local stream
	tools/demo

demo-kafka:  ## the same on a private PostgreSQL and a private Kafka broker
	tools/demo kafka

test: packages  ## every suite, lint and the sanitizers
	JOBS=$(JOBS) tools/run-suites full

test-quick: packages  ## what to run before each commit, under 90 s
	JOBS=$(JOBS) tools/run-suites quick

model: packages  ## check the protocol in every state within its bounds, and that it needs each of its rules
	cmake --preset release >/dev/null
	cmake --build build --parallel $(JOBS) --target model
	build/bin/model

model-long: packages  ## the protocol within larger bounds; takes up to 6 GB of memory
	cmake --preset release >/dev/null
	cmake --build build --parallel $(JOBS) --target model
	build/bin/model --long

simulate: packages  ## random runs of the coordination on simulated stores: SEEDS=N of them, or SEED=S with its trace
	@cmake --preset release >/dev/null
	@cmake --build build --parallel $(JOBS) --target simulate >/dev/null
	@build/bin/simulate --jobs $(JOBS) $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),200000))

explore: packages  ## every choice of two faults on simulated stores, for one to three units
	@cmake --preset release >/dev/null
	@cmake --build build --parallel $(JOBS) --target simulate >/dev/null
	@build/bin/simulate --jobs $(JOBS) --explore

soak: packages  ## every fault at random, on a private PostgreSQL and Kafka: MINUTES=N, SEED=S
	@cmake --preset whole >/dev/null
	@cmake --build build/whole --parallel $(JOBS) --target write-aside report_outcomes >/dev/null
	@exec tests/crash/soak.py --program build/whole/bin/write-aside --reporter build/whole/bin/report_outcomes \
		--minutes $(or $(MINUTES),10) $(if $(SEED),--seed $(SEED))

mutants: packages  ## breaks the coordination in one place at a time, and asks the suites: ONLY=lane.cpp, KINDS=invert, LIMIT=N, AGAIN=1
	@JOBS=$(JOBS) exec tests/mutants/run.py $(if $(ONLY),--only $(ONLY)) $(if $(KINDS),--kinds "$(KINDS)") $(if $(LIMIT),--limit $(LIMIT)) \
		$(if $(SEED),--seed $(SEED)) $(if $(AGAIN),--again)

fuzz: packages  ## random inputs for everything that reads, under the sanitizers: SECONDS=N for each kind of input
	@cmake --preset asan >/dev/null
	@cmake --build build/asan --parallel $(JOBS) --target fuzzers >/dev/null
	@tools/fuzz --jobs $(JOBS) --seconds $(or $(SECONDS),60)

bench: packages  ## build and run the benchmarks
	cmake --preset release >/dev/null
	cmake --build build --parallel $(JOBS) --target bench
	@for program in build/bin/bench/*; do echo "$$program"; "$$program" || exit 1; done

lint: packages  ## clang-format and clang-tidy; files already found clean are not read again
	cmake --preset whole >/dev/null
	tools/lint --jobs $(JOBS)

format:  ## rewrite every C++ file in the project's format
	tools/lint --format

clean:
	rm -rf build

help:
	@sed -n 's/^\([a-z-]*\):.*  ## /\1\t/p' Makefile | expand -t 12

packages:
	@tools/install-packages
