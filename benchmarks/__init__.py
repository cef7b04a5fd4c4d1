"""What the library costs, next to what the alternatives cost, measured in one run: `make bench`.

    python -m benchmarks [--quick] [--record] [SECTION ...]

The machine's noise is larger than most of what is compared here, so only ratios of one run are claims: see `timing`.
"""
