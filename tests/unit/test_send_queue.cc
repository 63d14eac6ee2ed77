#include "check.hh"

#include "base/send_queue.hh"

#include <array>

using namespace ap;

namespace {

void bytes_come_out_in_order()
{
    SendQueue queue;
    queue.append("abc");
    queue.append("def");
    std::array<char, 4> buffer{};
    CHECK_EQUAL(queue.take(buffer.data(), buffer.size()), 4u);
    CHECK_EQUAL(std::string_view(buffer.data(), 4), "abcd");
    CHECK_EQUAL(queue.view(), "ef");
    queue.append("g");
    CHECK_EQUAL(queue.take(buffer.data(), buffer.size()), 3u);
    CHECK(queue.empty());
    CHECK_EQUAL(queue.take(buffer.data(), buffer.size()), 0u);
}

void what_was_assigned_replaces_what_waits()
{
    SendQueue queue;
    queue.append("old");
    queue.drop(1);
    queue.assign("new");
    CHECK_EQUAL(queue.view(), "new");
}

void many_bytes_pass_unharmed()
{
    SendQueue queue;
    std::array<char, 1000> buffer{};
    uint32_t written = 0;
    uint32_t read = 0;
    for (int round = 0; round < 3000; round++) {
        std::string piece;
        for (int i = 0; i < (round % 7) * 400; i++) {
            piece += static_cast<char>(written++ % 251);
        }
        queue.append(piece);
        const size_t count = queue.take(buffer.data(), buffer.size());
        for (size_t i = 0; i < count; i++) {
            CHECK_EQUAL(static_cast<unsigned char>(buffer.at(i)), read++ % 251);
        }
    }
    CHECK_EQUAL(queue.size(), written - read);
    CHECK(queue.size() > 100'000);
}

void shared_bytes_keep_their_place()
{
    const auto shared = std::make_shared<const std::string>("shared");
    SendQueue queue;
    queue.append("a");
    queue.share(shared);
    queue.append("b");
    queue.share(shared);
    CHECK_EQUAL(queue.size(), 14u);
    CHECK_EQUAL(queue.view(), "a");
    std::string out;
    std::array<char, 5> buffer{};
    while (const size_t count = queue.take(buffer.data(), buffer.size())) {
        out.append(buffer.data(), count);
    }
    CHECK_EQUAL(out, "asharedbshared");
    CHECK(queue.empty());
    CHECK_EQUAL(shared.use_count(), 1);
    queue.append("own");
    CHECK_EQUAL(queue.view(), "own");
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(bytes_come_out_in_order),
        TEST(what_was_assigned_replaces_what_waits),
        TEST(shared_bytes_keep_their_place),
        TEST(many_bytes_pass_unharmed),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
