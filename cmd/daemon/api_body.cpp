// SPDX-License-Identifier: Apache-2.0
#include "cmd/daemon/api_body.hpp"

#include <chrono>
#include <optional>
#include <vector>

#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>

#include "bgp/wire/printable.hpp"
#include "cmd/daemon/limits.hpp"
#include "cmd/units/duration.hpp"

namespace anyvip::cmd {
namespace {

namespace json = boost::json;

// Reads fields off an object and remembers the first thing that is wrong; `finish` also refuses
// what nobody has asked for.
class Fields {
  public:
    explicit Fields(std::string_view body) {
        if (body.find_first_not_of(" \t\r\n") == std::string_view::npos) {
            return;
        }
        boost::system::error_code error;
        json::value value = json::parse(body, error);
        if (error) {
            fail("the body is not JSON: " + error.message());
        } else if (!value.is_object()) {
            fail("the body must be a JSON object");
        } else {
            object_ = std::move(value.as_object());
        }
    }

    bool flag(std::string_view key) {
        const json::value value = take(key);
        if (!value.is_null() && !value.is_bool()) {
            fail(std::string(key) + " must be true or false");
        }
        return value.is_bool() && value.as_bool();
    }

    std::string text(std::string_view key) {
        const json::value value = take(key);
        if (!value.is_null() && !value.is_string()) {
            fail(std::string(key) + " must be a string");
        }
        return value.is_string() ? std::string(value.as_string()) : std::string();
    }

    /// A text that is kept and shown.
    std::string note(std::string_view key) {
        std::string written = text(key);
        if (written.size() > limits::api_note_octets) {
            fail(std::string(key) + " is longer than " + std::to_string(limits::api_note_octets) +
                 " octets");
        }
        const auto* octets = reinterpret_cast<const std::uint8_t*>(written.data());
        return bgp::wire::printable({octets, written.size()});
    }

    std::optional<std::chrono::milliseconds> duration(std::string_view key) {
        const json::value value = take(key);
        if (!value.is_null() && !value.is_string()) {
            fail(std::string(key) + " must be a string with a unit, such as \"30s\" or \"5m\"");
        }
        const std::string written = value.is_string() ? std::string(value.as_string()) : "";
        if (written.empty()) {
            return std::nullopt;
        }
        const auto parsed = parse_duration(written);
        if (!parsed) {
            fail(std::string(key) + ": " + parsed.error());
            return std::nullopt;
        }
        return std::chrono::duration_cast<std::chrono::milliseconds>(*parsed);
    }

    std::vector<std::string> texts(std::string_view key) {
        std::vector<std::string> list;
        const json::value value = take(key);
        if (value.is_null()) {
            return list;
        }
        if (!value.is_array()) {
            fail(std::string(key) + " must be an array of strings");
            return list;
        }
        for (const json::value& element : value.as_array()) {
            if (!element.is_string()) {
                fail(std::string(key) + " must be an array of strings");
                return {};
            }
            list.emplace_back(element.as_string());
        }
        return list;
    }

    template <class T> std::expected<T, std::string> finish(T value) {
        if (problem_.empty() && !object_.empty()) {
            fail("unknown field " + std::string(object_.begin()->key()));
        }
        if (!problem_.empty()) {
            return std::unexpected(problem_);
        }
        return value;
    }

  private:
    json::value take(std::string_view key) {
        const auto found = object_.find(key);
        if (found == object_.end()) {
            return nullptr;
        }
        json::value value = std::move(found->value());
        object_.erase(found);
        return value;
    }

    void fail(std::string problem) {
        if (problem_.empty()) {
            problem_ = std::move(problem);
        }
    }

    json::object object_;
    std::string problem_;
};

} // namespace

std::expected<DrainBody, std::string> parse_drain(std::string_view body) {
    Fields fields(body);
    DrainBody drain;
    drain.request.vips = fields.texts("vips");
    drain.request.peer = fields.text("peer");
    drain.request.deadline = fields.duration("deadline");
    drain.request.until = fields.duration("until");
    drain.request.reason = fields.note("reason");
    drain.request.force = fields.flag("force");
    drain.request.dry_run = fields.flag("dry_run");
    drain.is_waiting = fields.flag("wait");
    return fields.finish(std::move(drain));
}

std::expected<vip::UndrainRequest, std::string> parse_undrain(std::string_view body) {
    Fields fields(body);
    vip::UndrainRequest undrain;
    undrain.vips = fields.texts("vips");
    undrain.peer = fields.text("peer");
    return fields.finish(std::move(undrain));
}

std::expected<ReloadBody, std::string> parse_reload(std::string_view body) {
    Fields fields(body);
    ReloadBody reload;
    reload.is_dry_run = fields.flag("dry_run");
    reload.is_upgrade = fields.flag("upgrade");
    return fields.finish(reload);
}

std::expected<bool, std::string> parse_reset(std::string_view body) {
    Fields fields(body);
    const bool is_soft = fields.flag("soft");
    return fields.finish(is_soft);
}

} // namespace anyvip::cmd
