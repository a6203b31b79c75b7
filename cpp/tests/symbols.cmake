# SPDX-License-Identifier: MIT
# Fails unless OBJECT defines one global function and nothing weak. (N are debugging sections of a COFF object.)
execute_process(COMMAND ${NM} --defined-only ${OBJECT} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCHALL "[0-9a-f]+ [A-MO-Zu-w] [^\n]+" exported "${symbols}")
list(LENGTH exported count)
if(NOT count EQUAL 1 OR NOT exported MATCHES " T _?rpsd_kernels_")
  message(FATAL_ERROR "${OBJECT} must define rpsd_kernels_<isa> alone, but defines: ${exported}")
endif()
