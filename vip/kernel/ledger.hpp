// SPDX-License-Identifier: Apache-2.0
// Which addresses are ours on kernels that cannot tell (no IFA_PROTO, before Linux 5.18): a file in
// the state directory.
#pragma once

#include <compare>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <set>
#include <string>
#include <system_error>
#include <utility>

#include "bgp/ip.hpp"

namespace anyvip::vip::kernel {

/// Where and since when a ledger is true: addresses do not survive a boot, and interface numbers
/// mean nothing in another network namespace.
struct LedgerScope {
    std::string boot_id;
    std::uint64_t network_namespace = 0;

    /// Of this process, now.
    [[nodiscard]] static LedgerScope current();
};

/// A text file: one header line with the scope, then "+ INDEX PREFIX" and "- INDEX PREFIX". It is
/// appended to, and rewritten atomically when it is opened, when most of its lines are history, and
/// after a line that could not be written whole. It is never synced: what a power failure would
/// lose has lost its meaning with it, and kill -9 loses nothing that was written.
class Ledger {
  public:
    /// A missing file, one of another scope or one with a torn last line is no error. The error is
    /// the system call's.
    [[nodiscard]] static std::expected<Ledger, std::error_code>
    open(const std::filesystem::path& directory, const LedgerScope& scope);

    Ledger(Ledger&& other) noexcept;
    Ledger& operator=(Ledger&& other) noexcept;
    Ledger(const Ledger&) = delete;
    Ledger& operator=(const Ledger&) = delete;
    ~Ledger();

    [[nodiscard]] bool contains(int interface_index, const Prefix& prefix) const;

    /// All of them, by index of the interface.
    [[nodiscard]] const std::set<std::pair<int, Prefix>>& entries() const { return entries_; }

    /// Written before the address is put on the interface; after an error it is not in here.
    [[nodiscard]] std::error_code add(int interface_index, const Prefix& prefix);
    [[nodiscard]] std::error_code remove(int interface_index, const Prefix& prefix);

  private:
    using Entry = std::pair<int, Prefix>;

    Ledger(std::filesystem::path path, std::string header, std::set<Entry> entries)
        : path_(std::move(path)), header_(std::move(header)), entries_(std::move(entries)) {}

    /// On disk like `entries_`, of which this is the latest change.
    [[nodiscard]] std::error_code note(char sign, const Entry& entry);
    [[nodiscard]] std::error_code rewrite();

    std::filesystem::path path_;
    std::string header_;
    std::set<Entry> entries_;
    int descriptor_ = -1;
    std::size_t lines_ = 0;
    bool is_torn_ = false; ///< the last line is not whole: another one behind it would be lost, too
};

} // namespace anyvip::vip::kernel
