# SPDX-License-Identifier: MIT
"""rpsd inside other libraries: a module for each, which imports its library when it is imported itself."""
