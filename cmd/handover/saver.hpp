// SPDX-License-Identifier: Apache-2.0
// Objects as octets.
#pragma once

#include <array>
#include <bit>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <expected>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "bgp/ip.hpp"
#include "cmd/handover/archive.hpp"

namespace anyvip::cmd::handover {

/// Writes. Takes objects by mutable reference as the other direction does, and changes none.
class Saver {
  public:
    static constexpr bool is_loading = false;

    Saver() = default;
    virtual ~Saver() = default;
    Saver(const Saver&) = delete;
    Saver& operator=(const Saver&) = delete;

    template <class T> void field(std::uint8_t tag, T& value) {
        begin(tag);
        put(value);
        end_field();
    }

    /// An enumerator from 0 to `last`.
    template <class Enum> void choice(std::uint8_t tag, Enum& value, Enum /*last*/) {
        auto number = std::to_underlying(value);
        field(tag, number);
    }

    template <class Enum> void choice(std::uint8_t tag, std::optional<Enum>& value, Enum /*last*/) {
        auto number = value ? std::optional(std::to_underlying(*value)) : std::nullopt;
        field(tag, number);
    }

    /// An array of enumerators.
    template <class Enum, std::size_t Size>
    void choices(std::uint8_t tag, std::array<Enum, Size>& values, Enum /*last*/) {
        std::array<std::underlying_type_t<Enum>, Size> numbers{};
        for (std::size_t i = 0; i < Size; ++i) {
            numbers.at(i) = std::to_underlying(values.at(i));
        }
        field(tag, numbers);
    }

    template <class Enum> void choices(std::uint8_t tag, std::vector<Enum>& values, Enum /*last*/) {
        std::vector<std::uint8_t> numbers;
        for (const Enum value : values) {
            numbers.push_back(std::to_underlying(value));
        }
        field(tag, numbers);
    }

    /// Objects that exist on the other side too, each under its key; `objects` are pointers. `find`
    /// is for the other direction: the object of a key, nullptr when there is none.
    template <class Range, class KeyOf, class Find>
    void table(std::uint8_t tag, const Range& objects, KeyOf key_of, Find /*find*/) {
        begin(tag);
        for (auto* object : objects) {
            begin_element();
            auto key = key_of(*object);
            begin_element();
            put(key);
            end();
            put(*object);
            end();
        }
        end_field();
    }

    /// Values that many places share are written once.
    template <class T> void shared(std::uint8_t tag, std::shared_ptr<const T>& pointer) {
        begin(tag);
        put_shared(pointer);
        end_field();
    }

    template <class Key, class T>
    void shared_map(std::uint8_t tag, std::map<Key, std::shared_ptr<const T>>& map) {
        begin(tag);
        for (auto& [key, pointer] : map) {
            begin_element();
            begin_element();
            put(const_cast<Key&>(key));
            end();
            put_shared(pointer);
            end();
        }
        end_field();
    }

    /// An open file that goes over by its number; -1: none.
    void descriptor(std::uint8_t tag, int& number) {
        if (number >= 0) {
            descriptors_.push_back(number);
        }
        field(tag, number);
    }

    /// What must hold after loading; nothing to do here.
    void require(bool /*holds*/, std::string_view /*what*/) {}

    [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

    [[nodiscard]] std::span<const std::uint8_t> fields() const { return octets_; }

    /// Did the tags of each object ascend? One that is there twice would be read but once.
    [[nodiscard]] bool is_in_order() const { return is_in_order_; }

  protected:
    /// Before the first field of each object and after each of its fields: where a later version
    /// may have others. For tests, which write some.
    virtual void between_fields() {}

  private:
    void begin(std::uint8_t tag) {
        is_in_order_ = is_in_order_ && tag > last_tag_;
        last_tag_ = tag;
        octets_.push_back(tag);
        begin_element();
    }

    void end_field() {
        end();
        between_fields();
    }

    void begin_element() {
        open_.push_back(octets_.size());
        octets_.insert(octets_.end(), 4, 0);
    }

    void end() {
        const std::size_t at = open_.back();
        open_.pop_back();
        const std::size_t length = octets_.size() - at - 4;
        for (std::size_t i = 0; i < 4; ++i) {
            octets_[at + i] = static_cast<std::uint8_t>(length >> (8 * i));
        }
    }

    void put_octets(std::span<const std::uint8_t> octets) {
        octets_.insert(octets_.end(), octets.begin(), octets.end());
    }

    template <Number T> void put(T value) {
        const auto octets = std::bit_cast<std::array<std::uint8_t, sizeof(T)>>(value);
        put_octets(octets);
    }

    void put(const std::string& text) { octets_.insert(octets_.end(), text.begin(), text.end()); }

    void put(std::vector<std::uint8_t>& octets) { put_octets(octets); }

    void put(const IpAddress& address) { put_octets(address.octets()); }

    void put(const Prefix& prefix) {
        put(prefix.length_bits());
        put(prefix.address());
    }

    template <class Rep, class Period> void put(std::chrono::duration<Rep, Period> value) {
        put(static_cast<std::int64_t>(value.count()));
    }

    template <class Clock, class Length>
    void put(const std::chrono::time_point<Clock, Length>& value) {
        put(value.time_since_epoch());
    }

    template <class T> void put(std::optional<T>& value) {
        put(value.has_value());
        if (value) {
            put(*value);
        }
    }

    template <class A, class B> void put(std::pair<A, B>& pair) {
        begin_element();
        put(const_cast<std::remove_const_t<A>&>(pair.first));
        end();
        put(pair.second);
    }

    template <class T> void put_all(T& container) {
        for (auto& element : container) {
            begin_element();
            put(const_cast<std::remove_cvref_t<decltype(element)>&>(element));
            end();
        }
    }

    template <class T, std::size_t Size> void put(std::array<T, Size>& array) { put_all(array); }

    template <class T> void put(std::vector<T>& vector) { put_all(vector); }

    template <class T> void put(std::deque<T>& deque) { put_all(deque); }

    template <class T> void put(std::set<T>& set) { put_all(set); }

    template <class Key, class T, class Less> void put(std::map<Key, T, Less>& map) {
        put_all(map);
    }

    template <class T, class E> void put(std::expected<T, E>& value) {
        put(value.has_value());
        if (value) {
            put(*value);
        } else {
            put(value.error());
        }
    }

    template <class T> void put_shared(std::shared_ptr<const T>& pointer) {
        const auto known = shared_.find(pointer.get());
        const auto number =
            static_cast<std::uint32_t>(known == shared_.end() ? shared_.size() : known->second);
        put(number);
        if (known == shared_.end()) {
            shared_.emplace(pointer.get(), number);
            put(pointer != nullptr);
            if (pointer) {
                put(const_cast<T&>(*pointer));
            }
        }
    }

    template <class T>
        requires requires(T& object, Saver& saver) { object.transfer(saver); }
    void put(T& object) {
        const std::uint8_t outer = std::exchange(last_tag_, std::uint8_t{0});
        between_fields();
        object.transfer(*this);
        last_tag_ = outer;
    }

    std::vector<std::uint8_t> octets_;
    std::vector<std::size_t> open_; ///< where the lengths of what is being written stand
    std::map<const void*, std::uint32_t> shared_;
    std::vector<int> descriptors_;
    std::uint8_t last_tag_ = 0; ///< of the object being written
    bool is_in_order_ = true;
};

} // namespace anyvip::cmd::handover
