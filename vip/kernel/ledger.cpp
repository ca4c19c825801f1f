// SPDX-License-Identifier: Apache-2.0
#include "vip/kernel/ledger.hpp"

#include <cerrno>
#include <fstream>
#include <optional>
#include <sstream>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace anyvip::vip::kernel {

namespace {

constexpr std::string_view file_name = "addresses";
/// Lines beyond twice the entries that are kept before the file is written anew.
constexpr std::size_t spare_lines = 1000;
constexpr std::uintmax_t max_file_octets = 64 * 1024 * 1024;

std::error_code last_error() {
    return {errno, std::system_category()};
}

std::string header_of(const LedgerScope& scope) {
    return "anyvip-addresses 1 " + scope.boot_id + " " + std::to_string(scope.network_namespace);
}

std::string line_of(char sign, int interface_index, const Prefix& prefix) {
    return std::string(1, sign) + " " + std::to_string(interface_index) + " " + to_string(prefix) +
           "\n";
}

/// Applies one line; what cannot be read is skipped: it is the torn end of a killed writer.
void apply_line(const std::string& line, std::set<std::pair<int, Prefix>>& entries) {
    std::istringstream words(line);
    char sign = 0;
    int index = 0;
    std::string text;
    if (!(words >> sign >> index >> text)) {
        return;
    }
    const auto prefix = Prefix::parse(text);
    if (!prefix) {
        return;
    }
    if (sign == '+') {
        entries.emplace(index, *prefix);
    } else if (sign == '-') {
        entries.erase({index, *prefix});
    }
}

std::set<std::pair<int, Prefix>> read(const std::filesystem::path& path, const LedgerScope& scope) {
    std::set<std::pair<int, Prefix>> entries;
    std::error_code ignored;
    if (const auto size = std::filesystem::file_size(path, ignored);
        ignored || size > max_file_octets) {
        return entries;
    }
    std::ifstream file(path);
    std::string line;
    if (!std::getline(file, line) || line != header_of(scope)) {
        return entries;
    }
    // A last line without its end is torn, even when it can be read: "/3" of "/32".
    while (std::getline(file, line) && !file.eof()) {
        apply_line(line, entries);
    }
    return entries;
}

std::error_code write_all(int descriptor, std::string_view text) {
    while (!text.empty()) {
        const auto written = ::write(descriptor, text.data(), text.size());
        if (written < 0 && errno != EINTR) {
            return last_error();
        }
        text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
    }
    return {};
}

} // namespace

LedgerScope LedgerScope::current() {
    LedgerScope scope;
    std::ifstream("/proc/sys/kernel/random/boot_id") >> scope.boot_id;
    struct stat status{};
    if (::stat("/proc/self/ns/net", &status) == 0) {
        scope.network_namespace = status.st_ino;
    }
    return scope;
}

std::expected<Ledger, std::error_code> Ledger::open(const std::filesystem::path& directory,
                                                    const LedgerScope& scope) {
    const auto path = directory / file_name;
    Ledger ledger(path, header_of(scope), read(path, scope));
    if (const auto error = ledger.rewrite()) {
        return std::unexpected(error);
    }
    return ledger;
}

Ledger::Ledger(Ledger&& other) noexcept
    : path_(std::move(other.path_)), header_(std::move(other.header_)),
      entries_(std::move(other.entries_)), descriptor_(std::exchange(other.descriptor_, -1)),
      lines_(other.lines_), is_torn_(other.is_torn_) {}

Ledger& Ledger::operator=(Ledger&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(header_, other.header_);
    std::swap(entries_, other.entries_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(lines_, other.lines_);
    std::swap(is_torn_, other.is_torn_);
    return *this;
}

Ledger::~Ledger() {
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
}

bool Ledger::contains(int interface_index, const Prefix& prefix) const {
    return entries_.contains({interface_index, prefix});
}

std::error_code Ledger::add(int interface_index, const Prefix& prefix) {
    const auto [place, is_new] = entries_.emplace(interface_index, prefix);
    if (!is_new) {
        return {};
    }
    const auto error = note('+', *place);
    if (error) {
        entries_.erase(place);
    }
    return error;
}

std::error_code Ledger::remove(int interface_index, const Prefix& prefix) {
    const Entry entry(interface_index, prefix);
    return entries_.erase(entry) != 0 ? note('-', entry) : std::error_code{};
}

std::error_code Ledger::note(char sign, const Entry& entry) {
    const bool is_mostly_history = lines_ >= 2 * entries_.size() + spare_lines;
    if (is_torn_ || is_mostly_history) {
        const auto error = rewrite();
        if (!error || is_torn_) {
            return error;
        }
    }
    const auto error = write_all(descriptor_, line_of(sign, entry.first, entry.second));
    is_torn_ = static_cast<bool>(error);
    ++lines_;
    return error;
}

std::error_code Ledger::rewrite() {
    auto temporary = path_;
    temporary += ".new";
    const int descriptor =
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
    if (descriptor < 0) {
        return last_error();
    }
    std::string text = header_ + "\n";
    for (const auto& [index, prefix] : entries_) {
        text += line_of('+', index, prefix);
    }
    std::error_code error = write_all(descriptor, text);
    if (!error && ::rename(temporary.c_str(), path_.c_str()) != 0) {
        error = last_error();
    }
    if (error) {
        ::close(descriptor);
        return error;
    }
    if (descriptor_ >= 0) {
        ::close(descriptor_);
    }
    descriptor_ = descriptor;
    lines_ = entries_.size();
    is_torn_ = false;
    return {};
}

} // namespace anyvip::vip::kernel
