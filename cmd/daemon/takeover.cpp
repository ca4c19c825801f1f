// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/takeover.hpp"

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "cmd/config/config.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "cmd/handover/envelope.hpp"

namespace anyvip::cmd {
namespace {

/// The configuration in force was valid when it was read: what has gone from the disk since is the
/// next reload's business.
class AsItWas final : public Host {
  public:
    [[nodiscard]] std::string program_problem(const std::string& /*path*/) const override {
        return {};
    }

    [[nodiscard]] std::string file_problem(const std::string& /*path*/,
                                           bool /*is_secret*/) const override {
        return {};
    }

    [[nodiscard]] bool has_user(const std::string& /*name*/) const override { return true; }
};

std::expected<Config, std::string> configuration_of(const HandedOver& shell) {
    auto config = parse_config(shell.config_text, AsItWas());
    if (!config) {
        return std::unexpected("the configuration in force: " +
                               to_string(config.error().front(), "line"));
    }
    config->node.asn = {shell.asn};
    config->node.router_id = bgp::RouterId{shell.router_id};
    config->node.name = shell.node_name;
    config->daemon.control = shell.control;
    config->daemon.http = shell.http;
    config->daemon.state_dir = shell.state_dir;
    return *std::move(config);
}

std::uint64_t random_seed() {
    std::random_device device;
    return (std::uint64_t{device()} << 32U) | device();
}

void start_or_drop(std::unique_ptr<bgp::bfd_net::Thread>& bfd) {
    bfd->start();
    if (bfd->sessions().empty()) {
        bfd.reset();
    }
}

std::string try_all(const std::string& config_file) {
    const auto file = read_state(STDIN_FILENO);
    if (!file) {
        return file.error();
    }
    auto restored = restore_state(*file, handover::Loader::Files::Absent);
    if (!restored) {
        return restored.error();
    }
    if (const auto config = load_config(config_file); !config) {
        return to_string(config.error().front(), config_file);
    }
    Agent& agent = *restored->agent;
    agent.settle(read_clocks());
    static_cast<void>(agent.take_outputs());
    static_cast<void>(agent.take_events());
    return {};
}

} // namespace

SavedState save_state(HandedOver& shell,
                      Agent& agent,
                      const std::function<bgp::bfd_net::Thread*()>& pause_bfd) {
    handover::Saver saver;
    saver.field(StateTags::shell, shell);
    saver.field(StateTags::agent, agent);
    if (bgp::bfd_net::Thread* bfd = pause_bfd()) {
        saver.field(StateTags::bfd, *bfd);
    }
    return {handover::seal(saver.fields()), saver.descriptors()};
}

std::expected<Takeover, std::string> restore_state(std::span<const std::uint8_t> file,
                                                   handover::Loader::Files files) {
    const auto fields = handover::open(file);
    if (!fields) {
        return std::unexpected(fields.error());
    }
    handover::Loader loader(*fields, files);
    Takeover result;
    result.bfd = std::make_unique<bgp::bfd_net::Thread>(random_seed());
    loader.field(StateTags::bfd, *result.bfd);
    if (!loader.is_bad() && files == handover::Loader::Files::Inherited) {
        start_or_drop(result.bfd);
    }
    loader.field(StateTags::shell, result.shell);
    if (loader.is_bad()) {
        return std::unexpected("the state cannot be restored: " + loader.problem());
    }
    auto config = configuration_of(result.shell);
    if (!config) {
        return std::unexpected(config.error());
    }
    result.config = *std::move(config);
    result.agent =
        std::make_unique<Agent>(result.config, vip::DrainState{}, random_seed(), read_clocks());
    loader.field(StateTags::agent, *result.agent);
    if (loader.is_bad()) {
        return std::unexpected("the state cannot be restored: " + loader.problem());
    }
    result.shell.descriptors = loader.descriptors();
    return result;
}

int inherited_state() {
    const char* number = std::getenv(state_variable);
    if (number == nullptr) {
        return -1;
    }
    char* end = nullptr;
    const long descriptor = std::strtol(number, &end, 10);
    const bool is_good =
        *number != '\0' && *end == '\0' && descriptor > STDERR_FILENO && descriptor < 1 << 20;
    ::unsetenv(state_variable);
    return is_good ? static_cast<int>(descriptor) : -1;
}

std::expected<std::vector<std::uint8_t>, std::string> read_state(int descriptor) {
    std::vector<std::uint8_t> octets;
    static std::array<std::uint8_t, 65536> piece;
    ssize_t count = 0;
    while ((count = ::pread(
                descriptor, piece.data(), piece.size(), static_cast<off_t>(octets.size()))) > 0) {
        octets.insert(octets.end(), piece.begin(), piece.begin() + count);
        if (octets.size() > handover::most_octets) {
            return std::unexpected("the state is larger than 256 MiB");
        }
    }
    if (count < 0) {
        return std::unexpected("the state cannot be read: " +
                               std::system_category().message(errno));
    }
    return octets;
}

int run_upgrade_trial(const std::string& config_file) {
    const std::string problem = try_all(config_file);
    std::printf("%s\n", problem.empty() ? "ready " ANYVIP_VERSION : problem.c_str());
    return problem.empty() ? 0 : 1;
}

} // namespace anyvip::cmd
