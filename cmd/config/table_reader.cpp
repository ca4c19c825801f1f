// SPDX-License-Identifier: Apache-2.0
// Look-up through the two layers of a table, and the report of what was left over.
#include "cmd/config/table_reader.hpp"

#include <algorithm>

#include "cmd/config/nearest.hpp"

namespace anyvip::cmd {

TableReader::TableReader(ReadContext& context,
                         std::string section,
                         Position where,
                         const Table& own,
                         const Table* inherited)
    : context_(context), section_(std::move(section)), where_(where), own_(own),
      inherited_(inherited) {}

const Value* TableReader::find(std::string_view key) {
    if (std::ranges::find(known_, key) == known_.end()) {
        known_.emplace_back(key);
        const std::size_t open = section_.find_first_not_of('[');
        const std::size_t close = std::min(section_.find(']'), section_.size());
        context_.known_keys.insert(section_.substr(open, close - open) + '.' + std::string(key));
    }
    if (const Value* value = own_.find(key)) {
        return value;
    }
    return inherited_ == nullptr || hidden_.contains(key) ? nullptr : inherited_->find(key);
}

bool TableReader::has_own(std::string_view key) const {
    return own_.find(key) != nullptr;
}

void TableReader::exclusive(std::initializer_list<std::string_view> keys) {
    const auto own = [&](std::string_view key) { return has_own(key); };
    if (std::ranges::none_of(keys, own)) {
        return;
    }
    for (const std::string_view key : keys) {
        if (!own(key)) {
            hidden_.emplace(key);
        }
    }
}

void TableReader::report(Position where, std::string_view key, std::string_view message) {
    context_.report(where, std::string(key) + ' ' + std::string(message));
}

void TableReader::report(std::string_view key, std::string_view message) {
    const Value* value = find(key);
    report(value == nullptr ? where_ : value->where, key, message);
}

void TableReader::finish(const Explain& explain) {
    for (const Entry& entry : own_.entries) {
        if (std::ranges::find(known_, entry.key) != known_.end()) {
            continue;
        }
        std::string message = explain ? explain(entry.key) : std::string();
        if (message.empty()) {
            message =
                "unknown key \"" + entry.key + "\" in " + section_ + suggestion(entry.key, known_);
        }
        context_.report(entry.where, std::move(message));
    }
}

std::vector<const Value*> TableReader::elements(std::string_view key, const Value& value) {
    std::vector<const Value*> found;
    if (const Array* array = value.as<Array>()) {
        for (const Value& element : *array) {
            found.push_back(&element);
        }
    } else {
        report(value.where, key, "must be an array, not " + std::string(kind_of(value)));
    }
    return found;
}

} // namespace anyvip::cmd
