// SPDX-License-Identifier: Apache-2.0
// The file is one JSON object, so that a torn one can be told: no beginning of it is a whole one.
#include "cmd/daemon/drain_store.hpp"

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <expected>
#include <fstream>
#include <optional>
#include <string_view>
#include <system_error>
#include <utility>

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <fcntl.h>
#include <unistd.h>

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

constexpr std::string_view file_name = "drains.json";
constexpr std::int64_t format_version = 1;
// Ten thousand VIPs with the longest reasons are a quarter of it.
constexpr std::size_t max_file_octets = std::size_t{64} * 1024 * 1024;
constexpr std::int64_t max_time_ms =
    9'000'000'000'000; // what nanoseconds in 64 bits can hold, less a little

std::string last_error() {
    return std::generic_category().message(errno);
}

/// A descriptor that is closed at the end.
class File {
  public:
    File(const std::filesystem::path& path, int flags)
        : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0600)) {}

    ~File() { (void)close(); }

    File(const File&) = delete;
    File& operator=(const File&) = delete;

    [[nodiscard]] bool is_open() const { return descriptor_ >= 0; }

    [[nodiscard]] bool close() {
        const int descriptor = std::exchange(descriptor_, -1);
        return descriptor < 0 || ::close(descriptor) == 0;
    }

    [[nodiscard]] bool sync() const { return ::fsync(descriptor_) == 0; }

    [[nodiscard]] bool write(std::string_view text) const {
        while (!text.empty()) {
            const ssize_t written = ::write(descriptor_, text.data(), text.size());
            if (written < 0 && errno != EINTR) {
                return false;
            }
            text.remove_prefix(written < 0 ? 0 : static_cast<std::size_t>(written));
        }
        return true;
    }

    /// All of it; nothing on an error. One octet more than the limit is read, so that the caller
    /// can tell.
    [[nodiscard]] std::optional<std::string> read() const {
        std::string text;
        std::string block(64UL * 1024, '\0');
        while (text.size() <= max_file_octets) {
            const ssize_t got = ::read(descriptor_, block.data(), block.size());
            if (got == 0) {
                break;
            }
            if (got < 0 && errno != EINTR) {
                return std::nullopt;
            }
            text.append(block, 0, got < 0 ? 0 : static_cast<std::size_t>(got));
        }
        return text;
    }

  private:
    int descriptor_;
};

// ---- reading: the first thing that is wrong is remembered, the rest is not looked at

class Reader {
  public:
    explicit Reader(std::string& problem) : problem_(problem) {}

    const json::value* field(const json::object& object, std::string_view key) {
        const json::value* value = object.if_contains(key);
        if (value == nullptr) {
            fail(key, "is missing");
        }
        return value;
    }

    std::string text(const json::object& object, std::string_view key) {
        const json::value* value = field(object, key);
        if (value != nullptr && !value->is_string()) {
            fail(key, "is no string");
            return {};
        }
        return value != nullptr ? std::string(value->get_string()) : std::string();
    }

    std::int64_t number(const json::object& object, std::string_view key) {
        const json::value* value = field(object, key);
        if (value != nullptr && !value->is_int64()) {
            fail(key, "is no whole number");
            return 0;
        }
        return value != nullptr ? value->get_int64() : 0;
    }

    vip::WallTime time(const json::object& object, std::string_view key) {
        const std::int64_t ms = number(object, key);
        if (ms < 0 || ms > max_time_ms) {
            fail(key, "is no time");
            return {};
        }
        return vip::WallTime(std::chrono::milliseconds(ms));
    }

    const json::object& object(const json::value& value, std::string_view key) {
        static const json::object empty;
        if (!value.is_object()) {
            fail(key, "is no object");
            return empty;
        }
        return value.get_object();
    }

    vip::Hold hold(const json::object& object) {
        vip::Hold hold;
        hold.since = time(object, "since_ms");
        if (const json::value* until = field(object, "until_ms");
            until != nullptr && !until->is_null()) {
            hold.until = time(object, "until_ms");
        }
        hold.reason = text(object, "reason");
        hold.author = text(object, "author");
        return hold;
    }

    std::vector<std::string> texts(const json::object& object, std::string_view key) {
        std::vector<std::string> result;
        const json::value* value = field(object, key);
        if (value == nullptr || !value->is_array()) {
            fail(key, "is no list");
            return result;
        }
        for (const json::value& item : value->get_array()) {
            if (!item.is_string()) {
                fail(key, "is no list of strings");
                break;
            }
            result.emplace_back(item.get_string());
        }
        return result;
    }

    void fail(std::string_view key, std::string_view what) {
        if (problem_.empty()) {
            problem_ = "\"" + std::string(key) + "\" " + std::string(what);
        }
    }

  private:
    std::string& problem_;
};

struct Stored {
    std::string machine_id;
    vip::DrainState state;
};

std::expected<Stored, std::string> parse(std::string_view text) {
    // What was written must be readable again, whatever octets a user name or a reason had.
    json::parse_options options;
    options.allow_invalid_utf8 = true;
    boost::system::error_code error;
    const json::value document = json::parse(text, error, {}, options);
    if (error) {
        return std::unexpected("it is damaged: " + error.message());
    }
    std::string problem;
    Reader reader(problem);
    const json::object& root = reader.object(document, "the document");
    const std::int64_t version = reader.number(root, "version");
    if (problem.empty() && version != format_version) {
        return std::unexpected("its format " + std::to_string(version) +
                               " is not known to this version");
    }
    Stored stored;
    stored.machine_id = reader.text(root, "machine_id");
    stored.state.unreadable = reader.text(root, "unreadable");
    if (const json::value* node = reader.field(root, "node"); node != nullptr && !node->is_null()) {
        stored.state.node = reader.hold(reader.object(*node, "node"));
    }
    if (const json::value* vips = reader.field(root, "vips")) {
        for (const auto& [name, value] : reader.object(*vips, "vips")) {
            const json::object& entry = reader.object(value, name);
            stored.state.vips[std::string(name)] = {reader.hold(entry),
                                                    reader.texts(entry, "addresses")};
        }
    }
    if (const json::value* peers = reader.field(root, "peers")) {
        for (const auto& [name, value] : reader.object(*peers, "peers")) {
            stored.state.peers[std::string(name)] = reader.hold(reader.object(value, name));
        }
    }
    if (!problem.empty()) {
        return std::unexpected("it is damaged: " + problem);
    }
    return stored;
}

// ---- writing

std::int64_t milliseconds_of(vip::WallTime time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
}

json::object document_of(const vip::Hold& hold) {
    json::object object;
    object["since_ms"] = milliseconds_of(hold.since);
    object["until_ms"] =
        hold.until ? json::value(milliseconds_of(*hold.until)) : json::value(nullptr);
    object["reason"] = hold.reason;
    object["author"] = hold.author;
    return object;
}

std::string document_of(const vip::DrainState& state, const std::string& machine_id) {
    json::object vips;
    for (const auto& [name, entry] : state.vips) {
        json::object object = document_of(entry.hold);
        object["addresses"] = json::array(entry.addresses.begin(), entry.addresses.end());
        vips[name] = std::move(object);
    }
    json::object peers;
    for (const auto& [name, hold] : state.peers) {
        peers[name] = document_of(hold);
    }
    json::object root;
    root["version"] = format_version;
    root["machine_id"] = machine_id;
    root["unreadable"] = state.unreadable;
    root["node"] = state.node ? json::value(document_of(*state.node)) : json::value(nullptr);
    root["vips"] = std::move(vips);
    root["peers"] = std::move(peers);
    return json::serialize(root) + "\n";
}

} // namespace

std::string read_machine_id() {
    std::string id;
    std::ifstream("/etc/machine-id") >> id;
    return id;
}

LoadedDrains load_drains(const std::filesystem::path& directory, const std::string& machine_id) {
    const std::filesystem::path path = directory / file_name;
    const auto unreadable = [&](const std::string& why) {
        LoadedDrains loaded;
        loaded.state.unreadable = "drain state " + path.string() + " cannot be read: " + why;
        loaded.warnings.push_back(loaded.state.unreadable +
                                  "; all VIPs stay drained until `anyvip undrain`");
        return loaded;
    };
    // Not blocking: something else than a file may be in its place.
    const File file(path, O_RDONLY | O_NONBLOCK);
    if (!file.is_open()) {
        return errno == ENOENT ? LoadedDrains{} : unreadable(last_error());
    }
    const std::optional<std::string> text = file.read();
    if (!text) {
        return unreadable(last_error());
    }
    if (text->size() > max_file_octets) {
        return unreadable("it is larger than 64 MiB");
    }
    auto stored = parse(*text);
    if (!stored) {
        return unreadable(stored.error());
    }
    // Only two known identities can differ; in doubt a drained node stays drained.
    if (stored->machine_id.empty() || machine_id.empty() || stored->machine_id == machine_id) {
        return {std::move(stored->state), {}};
    }
    LoadedDrains loaded;
    std::string warning = "drain state " + path.string() + " is of another machine (" +
                          stored->machine_id + "): ignored";
    std::error_code error;
    std::filesystem::rename(path, path.string() + ".foreign", error);
    warning += error ? ", and cannot be set aside: " + error.message()
                     : " and set aside as " + path.string() + ".foreign";
    loaded.warnings.push_back(std::move(warning));
    return loaded;
}

std::string save_drains(const std::filesystem::path& directory,
                        const vip::DrainState& state,
                        const std::string& machine_id) {
    const std::filesystem::path path = directory / file_name;
    const std::filesystem::path temporary = path.string() + ".new";
    std::error_code error;
    std::filesystem::create_directories(directory, error);
    if (error) {
        return "cannot make " + directory.string() + ": " + error.message();
    }
    File file(temporary, O_WRONLY | O_CREAT | O_TRUNC);
    if (!file.is_open()) {
        return "cannot write " + temporary.string() + ": " + last_error();
    }
    if (!file.write(document_of(state, machine_id)) || !file.sync() || !file.close()) {
        std::string problem = "cannot write " + temporary.string() + ": " + last_error();
        ::unlink(temporary.c_str());
        return problem;
    }
    if (::rename(temporary.c_str(), path.c_str()) != 0) {
        std::string problem = "cannot write " + path.string() + ": " + last_error();
        ::unlink(temporary.c_str());
        return problem;
    }
    const File parent(directory, O_RDONLY | O_DIRECTORY);
    if (!parent.is_open() || !parent.sync()) {
        return "cannot sync " + directory.string() + ": " + last_error();
    }
    return {};
}

} // namespace anyvip::cmd
