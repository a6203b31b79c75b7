# SPDX-License-Identifier: MIT
"""The slow, obvious NumPy twin: every algorithm again, from its definition, to judge the fast one."""
