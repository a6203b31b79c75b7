# SPDX-License-Identifier: MIT
"""Pictures of what a denoiser did (extra: plot)."""

from rpsd.report._plot import plot_denoised, plot_vintages, to_png

__all__ = ["plot_denoised", "plot_vintages", "to_png"]
