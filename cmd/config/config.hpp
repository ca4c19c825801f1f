// SPDX-License-Identifier: Apache-2.0
// The configuration file: TOML text to a validated `Config` and back (CONTRACT section 2).
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cmd/agent/config.hpp"

namespace anyvip::cmd {

/// One thing that is wrong with a configuration, at the value that is to blame. Line and column
/// count from 1; line 0 stands for the file as a whole.
struct Problem {
    std::uint32_t line = 0;
    std::uint32_t column = 0;
    std::string message;
    friend auto operator<=>(const Problem&, const Problem&) = default;
};

/// "FILE:LINE:COLUMN: message", or "FILE: message" for the file as a whole.
[[nodiscard]] std::string to_string(const Problem& problem, std::string_view file);

/// What a validation asks the machine that it runs on. Tests answer in its place.
class Host {
  public:
    Host() = default;
    virtual ~Host() = default;
    Host(const Host&) = delete;
    Host& operator=(const Host&) = delete;

    /// Empty when `path` is a program that can be executed, otherwise what is wrong.
    [[nodiscard]] virtual std::string program_problem(const std::string& path) const = 0;
    /// Empty when `path` is a regular file.
    [[nodiscard]] virtual std::string file_problem(const std::string& path) const = 0;
    [[nodiscard]] virtual bool has_user(const std::string& name) const = 0;
};

/// The machine itself.
[[nodiscard]] const Host& real_host();

/// Reads the whole text and reports every problem, sorted by position; only a TOML syntax error
/// ends the reading early. Secret files are looked at, but not read. `router_id_in_use`: of the
/// running daemon, at a reload; whatever the text says, it is no VIP.
[[nodiscard]] std::expected<Config, std::vector<Problem>>
parse_config(std::string_view text,
             const Host& host = real_host(),
             std::optional<bgp::RouterId> router_id_in_use = {});

/// The text of a file of at most 16 MiB.
[[nodiscard]] std::expected<std::string, std::vector<Problem>>
read_config_file(const std::string& path);

/// `parse_config` of a file of at most 16 MiB. One that cannot be read is a problem of line 0.
[[nodiscard]] std::expected<Config, std::vector<Problem>> load_config(const std::string& path);

/// A file that is as secret as what stands in it.
struct SecretFile {
    std::string path;
    std::string secret; ///< "the key of peer tor1"
    friend bool operator==(const SecretFile&, const SecretFile&) = default;
};

/// Key files, each once, and this configuration file if a secret stands in it; "": key files alone.
[[nodiscard]] std::vector<SecretFile> secret_files(const Config& config,
                                                   const std::string& config_file);
/// Those of them that everybody on this machine may read.
[[nodiscard]] std::vector<SecretFile> exposed_secret_files(const Config& config,
                                                           const std::string& config_file);
[[nodiscard]] bool is_readable_by_everybody(const std::string& path);
/// One line: what is wrong and what mends it.
[[nodiscard]] std::string exposure_of(const SecretFile& file);

/// The effective configuration as TOML, defaults filled in, secrets as "********". Parsing it gives
/// the same configuration, but for the secrets.
[[nodiscard]] std::string dump_config(const Config& config);

/// Every key there is as "section.key", for example "peer.hold_time"; sorted.
[[nodiscard]] std::vector<std::string> known_keys();

} // namespace anyvip::cmd
