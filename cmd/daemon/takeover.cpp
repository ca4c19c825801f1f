// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/takeover.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <random>
#include <system_error>

#include <fcntl.h>
#include <unistd.h>

#include "cmd/config/config.hpp"
#include "cmd/daemon/program.hpp"
#include "cmd/daemon/wall_time.hpp"
#include "cmd/handover/envelope.hpp"
#include "cmd/handover/loader.hpp"
#include "cmd/handover/saver.hpp"

namespace anyvip::cmd {
namespace {

/// The configuration in force was valid when it was read: what has gone from the disk since is the
/// next reload's business.
class AsItWas final : public Host {
  public:
    [[nodiscard]] std::string program_problem(const std::string& /*path*/) const override {
        return {};
    }

    [[nodiscard]] std::string file_problem(const std::string& /*path*/) const override {
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

/// The last field of a part.
SavedState sealed(handover::Saver& saver) {
    std::vector<int> descriptors = saver.descriptors();
    saver.field(StateTags::descriptors, descriptors);
    return {handover::seal(saver.fields()), descriptors};
}

/// What belongs to a field that is not known here, or to an object that is not there, would stay
/// open for life.
void close_unclaimed(handover::Loader& loader) {
    std::vector<int> named;
    loader.field(StateTags::descriptors, named);
    const std::vector<int>& known = loader.descriptors();
    for (const int descriptor : named) {
        if (descriptor > STDERR_FILENO && std::ranges::find(known, descriptor) == known.end()) {
            ::close(descriptor);
        }
    }
}

/// All of a part has been read: its descriptors are ours, and no child's.
std::string settle(handover::Loader& loader, handover::Loader::Files files) {
    if (!loader.is_bad() && files == handover::Loader::Files::Inherited) {
        close_unclaimed(loader);
        settle_in(loader.descriptors());
    }
    return loader.problem();
}

using BfdThread = std::unique_ptr<bgp::bfd_net::Thread>;

std::expected<BfdThread, std::string> restore_bfd(std::span<const std::uint8_t> part,
                                                  handover::Loader::Files files) {
    const auto fields = handover::open(part);
    if (!fields) {
        return std::unexpected("BFD: " + fields.error());
    }
    handover::Loader loader(*fields, files);
    auto bfd = std::make_unique<bgp::bfd_net::Thread>(random_seed());
    loader.field(StateTags::bfd, *bfd);
    if (const std::string problem = settle(loader, files); !problem.empty()) {
        return std::unexpected("the state of BFD cannot be restored: " + problem);
    }
    return bfd;
}

std::expected<Takeover, std::string> restore_main(std::span<const std::uint8_t> part,
                                                  handover::Loader::Files files) {
    const auto fields = handover::open(part);
    if (!fields) {
        return std::unexpected(fields.error());
    }
    handover::Loader loader(*fields, files);
    Takeover result;
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
    if (const std::string problem = settle(loader, files); !problem.empty()) {
        return std::unexpected("the state cannot be restored: " + problem);
    }
    return result;
}

std::string try_all(const std::string& config_file) {
    const auto file = read_state(STDIN_FILENO, 0);
    if (!file) {
        return file.error();
    }
    auto restored = restore_state(*file);
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

SavedState save_state(HandedOver& shell, Agent& agent) {
    handover::Saver saver;
    saver.field(StateTags::shell, shell);
    saver.field(StateTags::agent, agent);
    return sealed(saver);
}

SavedState save_bfd(bgp::bfd_net::Thread* bfd) {
    handover::Saver saver;
    if (bfd != nullptr) {
        saver.field(StateTags::bfd, *bfd);
    }
    return sealed(saver);
}

std::expected<Takeover, std::string> restore_state(std::span<const std::uint8_t> file) {
    constexpr auto absent = handover::Loader::Files::Absent;
    const std::uint64_t length = handover::sealed_octets(file).value_or(file.size());
    const auto first = file.first(std::min<std::size_t>(file.size(), length));
    auto result = restore_main(first, absent);
    if (!result) {
        return result;
    }
    auto bfd = restore_bfd(file.subspan(first.size()), absent);
    if (!bfd) {
        return std::unexpected(bfd.error());
    }
    result->bfd = *std::move(bfd);
    return result;
}

std::expected<Takeover, std::string> take_over(bgp::net::FileDescriptor state) {
    const int descriptor = state.get();
    constexpr auto inherited = handover::Loader::Files::Inherited;
    std::array<std::uint8_t, handover::header_octets> header{};
    const ssize_t count = ::pread(descriptor, header.data(), header.size(), 0);
    const std::size_t length = handover::sealed_octets(header).value_or(0);
    const auto tail = count > 0 ? read_state(descriptor, length)
                                : std::unexpected<std::string>("the state cannot be read");
    auto bfd = tail ? restore_bfd(*tail, inherited) : std::unexpected(tail.error());
    if (!bfd) {
        return std::unexpected(bfd.error());
    }
    (*bfd)->start();
    const auto file = read_state(descriptor, 0);
    if (!file) {
        return std::unexpected(file.error());
    }
    auto result = restore_main(std::span(*file).first(std::min(length, file->size())), inherited);
    if (result && !(*bfd)->sessions().empty()) {
        result->bfd = *std::move(bfd);
    }
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

std::expected<std::vector<std::uint8_t>, std::string> read_state(int descriptor,
                                                                 std::size_t offset) {
    std::vector<std::uint8_t> octets;
    static std::array<std::uint8_t, 65536> piece;
    ssize_t count = 0;
    while (
        (count = ::pread(
             descriptor, piece.data(), piece.size(), static_cast<off_t>(offset + octets.size()))) >
        0) {
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
