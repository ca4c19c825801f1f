// SPDX-License-Identifier: Apache-2.0
// Addresses on interfaces through netlink: puts ours there, takes them off, and tells what anybody
// does to any of them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "vip/kernel/address_message.hpp"
#include "vip/kernel/address_table.hpp"
#include "vip/kernel/ledger.hpp"
#include "vip/kernel/netlink.hpp"
#include "vip/kernel/readiness.hpp"

namespace anyvip::vip::kernel {

struct AddressCallbacks {
    /// Every address on every interface once at the start, then each change. Not called from within
    /// itself; may call `add` and `remove`, whose observations then follow it.
    std::function<void(const Observation&)> observed;
    /// After the observations of one turn of the loop; not after those that `add` and `remove`
    /// make.
    std::function<void()> turn_ended;
    /// One line for the log: an interface went down, was renamed, notifications were lost…
    std::function<void(const std::string&)> notice;
};

struct AddressOptions {
    std::filesystem::path state_directory; ///< of the ledger; empty: none is kept
    bool uses_mark = true; ///< false: as on a kernel without IFA_PROTO, the ledger tells who owns
    /// Some 20,000 notifications: more than a flush of 10,000 addresses. Memory is used only when
    /// filled.
    int notification_buffer_octets = 32 * 1024 * 1024;
};

class AddressKernel {
  public:
    AddressKernel(boost::asio::io_context& loop,
                  AddressCallbacks callbacks,
                  AddressOptions options);
    AddressKernel(const AddressKernel&) = delete;
    AddressKernel& operator=(const AddressKernel&) = delete;

    /// Subscribes, then dumps: `observed` for all there is, before it returns. Once.
    [[nodiscard]] std::error_code start();

    /// Puts a prefix on an interface, marked as ours; waits for the kernel's ack. Without error
    /// `observed` has told what is there now: ours, or somebody else's that was there before, which
    /// is then never removed. When the interface is missing (`no_such_device`) or down
    /// (`network_down`), `observed` says "not present" as soon as another try makes sense.
    [[nodiscard]] std::error_code add(const Prefix& prefix, std::string_view interface);

    /// Takes off what is ours. What is not there is no error; what is somebody else's is
    /// `operation_not_permitted`.
    [[nodiscard]] std::error_code remove(const Prefix& prefix, std::string_view interface);

    [[nodiscard]] const AddressTable& table() const { return table_; }

  private:
    void on_readable();
    /// Reads what has been notified into the table; false when there may be more.
    bool read_notifications();
    void apply(nlmsghdr& message);
    void apply_link(nlmsghdr& message, AddressTable& table);
    void tell_of(const LinkMessage& link) const;
    void apply_address(nlmsghdr& message, AddressTable& table);
    [[nodiscard]] bool is_own(const AddressMessage& message) const;
    void forget_missing();
    void resync();
    [[nodiscard]] std::error_code dump(AddressTable& table);
    void collect_changes();
    void deliver();
    [[nodiscard]] std::error_code exchange(Request& request, const OnMessage& on_message = {});
    [[nodiscard]] std::error_code record(int index, const Prefix& prefix);
    void forget(int index, const Prefix& prefix);

    boost::asio::io_context& loop_;
    AddressCallbacks callbacks_;
    AddressOptions options_;
    std::optional<Ledger> ledger_; ///< while the kernel has not shown that it keeps the mark
    bool keeps_mark_ = false;      ///< the kernel has shown an IFA_PROTO
    std::optional<Netlink> requests_;
    std::optional<Netlink> notifications_;
    AddressTable table_;
    /// Wanted, but the interface was missing or down.
    std::set<std::pair<std::string, Prefix>, std::less<>> waiting_;
    std::vector<Observation> pending_;
    bool is_delivering_ = false;
    bool needs_resync_ = false;
    std::optional<Readable> readable_; // before the socket it watches is closed
    Timer resync_timer_;
};

} // namespace anyvip::vip::kernel
