// SPDX-License-Identifier: Apache-2.0
// The program file on disk, and how this process becomes it.
#pragma once

#include <expected>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "bgp/net/file_descriptor.hpp"
#include "cmd/daemon/takeover.hpp"

namespace anyvip::cmd {

/// Where this program was started from, also when the file has been replaced since. To be asked at
/// the start.
[[nodiscard]] std::string program_path();

/// One file, whatever takes its place on disk afterwards.
class ProgramFile {
  public:
    /// The error is one line.
    [[nodiscard]] static std::expected<ProgramFile, std::string> open(const std::string& path);

    /// Is it still the one that `path` leads to?
    [[nodiscard]] bool is_at(const std::string& path) const;

    /// Same process, same arguments, and the state with the descriptors that it names; `save_bfd`
    /// makes its last part in the last moment. Returns only when that is impossible, everything
    /// being as before but for what `save_bfd` did; the error is one line.
    [[nodiscard]] std::string execute(const std::vector<std::string>& arguments,
                                      const SavedState& state,
                                      const std::function<SavedState()>& save_bfd) const;

  private:
    explicit ProgramFile(bgp::net::FileDescriptor file) : file_(std::move(file)) {}

    bgp::net::FileDescriptor file_;
};

/// After the replacement: the name that tools show, and no child inherits what was handed over.
void settle_in(const std::vector<int>& descriptors);

} // namespace anyvip::cmd
