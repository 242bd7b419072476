# SPDX-License-Identifier: Apache-2.0
"""What tests/vm/run is made of: finding a kernel, packing a guest, running it, judging it."""
