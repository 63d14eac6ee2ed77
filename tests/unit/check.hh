#pragma once

// CMocka for C++: a failing cmocka assert longjmps over live objects and an uncaught
// exception ends the whole program, so bodies throw and run<> turns that into one
// failure.

#include <array>
#include <csetjmp>
#include <cstdarg>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <exception>
#include <ios> // before cmocka, whose macro fail would hit a member of basic_ios
#include <stdexcept>
#include <string>
#include <string_view>

extern "C" {
#include <cmocka.h>
}

namespace check {

inline std::string shown(std::string_view value)
{
    return "'" + std::string(value) + "'";
}

template <typename Value>
requires std::is_arithmetic_v<Value> std::string shown(Value value)
{
    return std::to_string(value);
}

template <typename Value>
requires std::is_enum_v<Value> std::string shown(Value value)
{
    return std::to_string(static_cast<long>(value));
}

[[noreturn]] inline void fail_at(const char *file, int line, const std::string &text)
{
    throw std::logic_error(std::string(file) + ":" + std::to_string(line) + ": " + text);
}

// One call, so that temporaries that `actual` is a part of live until it returns. Tests
// compare sizes with plain numbers.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wsign-compare"
template <typename Actual, typename Expected>
void equal(const Actual &actual, const Expected &expected, const char *text,
           const char *file, int line)
{
    if (!(actual == expected)) {
        fail_at(file, line,
                std::string(text) + " is " + shown(actual) + ", expected " +
                    shown(expected));
    }
}
#pragma GCC diagnostic pop

template <void (*body)()>
void run(void **)
{
    static std::array<char, 1024> message;
    bool failed = false;
    try {
        body();
    } catch (const std::exception &error) {
        std::snprintf(message.data(), message.size(), "%s", error.what());
        failed = true;
    }
    if (failed) {
        fail_msg("%s", message.data());
    }
}

} // namespace check

#define CHECK(condition)                                                                 \
    do {                                                                                 \
        if (!(condition)) {                                                              \
            check::fail_at(__FILE__, __LINE__, "not so: " #condition);                   \
        }                                                                                \
    } while (false)

#define CHECK_EQUAL(actual, expected)                                                    \
    check::equal((actual), (expected), #actual, __FILE__, __LINE__)

/// Runs `expression`, which must throw `type`; the caught error is handed to `inspect`,
/// a callable.
#define CHECK_THROWS(expression, type, inspect)                                          \
    do {                                                                                 \
        bool check_thrown = false;                                                       \
        try {                                                                            \
            static_cast<void>(expression);                                               \
        } catch (const type &check_error) {                                              \
            check_thrown = true;                                                         \
            inspect(check_error);                                                        \
        }                                                                                \
        if (!check_thrown) {                                                             \
            check::fail_at(__FILE__, __LINE__, #expression " did not throw " #type);     \
        }                                                                                \
    } while (false)

/// One row of the CMUnitTest table for a body `void name()`.
#define TEST(name)                                                                       \
    CMUnitTest                                                                           \
    {                                                                                    \
#name, check::run < name>, nullptr, nullptr, nullptr                             \
    }
