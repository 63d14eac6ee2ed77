#pragma once

#include "wrap/http_connection.hh"
#include "wrap/http_exchange.hh"

#include <array>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

namespace check {

/// A connection that takes whatever is written to the exchange on it, without a socket.
class FakeConnection final : public ap::HttpConnection
{
public:
    explicit FakeConnection(std::string_view target,
                            std::initializer_list<ap::HttpField> fields = {})
        : exchange(std::make_shared<ap::HttpExchange>(*this, target))
    {
        for (const ap::HttpField &field : fields) {
            exchange->add_field(field);
        }
    }

    void wake() override {}
    void exchange_ended() noexcept override {}
    std::string_view peer() const noexcept override { return "127.0.0.1"; }

    /// What was written since the last call.
    std::string sent()
    {
        std::string text;
        std::array<char, 65536> buffer{};
        size_t taken = 0;
        while (exchange->supply(buffer.data(), buffer.size(), taken) ==
               ap::HttpExchange::Supply::Some) {
            text.append(buffer.data(), taken);
        }
        return text;
    }

    std::shared_ptr<ap::HttpExchange> exchange;
};

} // namespace check
