// SPDX-License-Identifier: MIT
// The commit that was built, in a file of its own: all that the next commit compiles anew.
namespace rpsd::python {

const char* git_commit();
const char* git_commit() { return RPSD_COMMIT; }

}  // namespace rpsd::python
