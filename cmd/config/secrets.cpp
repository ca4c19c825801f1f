// SPDX-License-Identifier: Apache-2.0
#include "cmd/config/secrets.hpp"

#include <algorithm>
#include <array>
#include <variant>

#include "cmd/config/config.hpp"

namespace anyvip::cmd {

namespace {

// Rather one that is harmless too many than one that is not too few.
constexpr std::array<std::string_view, 9> parts{
    "auth", "cookie", "credential", "key", "_pwd", "passphrase", "passw", "secret", "token"};

bool has_secret_name(const std::map<std::string, std::string>& values) {
    return std::ranges::any_of(values, [](const auto& entry) {
        return is_secret_name(entry.first) && !entry.second.empty();
    });
}

} // namespace

bool is_secret_name(std::string_view name) {
    std::string lower(name);
    std::ranges::transform(lower, lower.begin(), [](char c) {
        return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    });
    return std::ranges::any_of(
        parts, [&](std::string_view part) { return lower.find(part) != std::string::npos; });
}

bool has_secret(const health::CheckConfig& check) {
    if (const auto* http = std::get_if<health::HttpTarget>(&check.target)) {
        return has_secret_name(http->headers);
    }
    const auto* exec = std::get_if<health::ExecTarget>(&check.target);
    return exec != nullptr && has_secret_name(exec->env);
}

std::vector<SecretFile> secret_files(const Config& config, const std::string& config_file) {
    std::vector<SecretFile> files;
    const auto add = [&](const std::string& path, const std::string& secret) {
        if (!path.empty() && std::ranges::find(files, path, &SecretFile::path) == files.end()) {
            files.push_back({path, secret});
        }
    };
    for (const PeerEntry& peer : config.peers) {
        const std::string secret = "the key of peer " + peer.session.name;
        add(peer.password_file, secret);
        add(peer.tcp_ao ? peer.tcp_ao->key_file : std::string(), secret);
        if (!peer.password.empty()) {
            add(config_file, "a password");
        }
    }
    if (const auto check = std::ranges::find_if(config.checks, has_secret);
        check != config.checks.end()) {
        add(config_file, "a secret of check " + check->name);
    }
    return files;
}

std::string exposure_of(const SecretFile& file) {
    return file.path + " holds " + file.secret + " and can be read by everybody; chmod o-rwx it";
}

} // namespace anyvip::cmd
