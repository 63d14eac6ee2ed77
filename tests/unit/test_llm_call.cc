#include "check.hh"

#include "eventually.hh"
#include "net/llm_call.hh"
#include "sys/socket.hh"
#include "thread_time.hh"

#include <array>
#include <sys/socket.h>
#include <thread>

using namespace ap;
using namespace std::chrono_literals;

namespace {

// Answers one request on a new connection, and ends that when it has been idle for a
// moment, as servers do.
void answer_one(int listening, const std::string &answer)
{
    check::becomes_readable(listening);
    const Fd client(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
    std::string heard;
    std::array<char, 4096> buffer{};
    while (heard.find("\r\n\r\n{}") == std::string::npos) {
        const ssize_t count = recv(client.get(), buffer.data(), buffer.size(), 0);
        if (count <= 0) {
            return;
        }
        heard.append(buffer.data(), static_cast<size_t>(count));
    }
    static_cast<void>(send(client.get(), answer.data(), answer.size(), MSG_NOSIGNAL));
    check::becomes_readable(client.get(), 100ms);
}

void a_connection_that_ends_between_two_tries_costs_nothing()
{
    const Fd listening = listen_tcp("127.0.0.1", 0);
    std::thread server([&] {
        answer_one(listening.get(), "HTTP/1.1 429 Wait\r\nRetry-After: 1\r\n"
                                    "Content-Length: 2\r\n\r\n{}");
        answer_one(listening.get(), "HTTP/1.1 400 No\r\nContent-Length: 2\r\n\r\n{}");
    });
    LlmRequest request;
    request.target = "/v1/chat/completions";
    request.url = "http://127.0.0.1:" + std::to_string(local_port(listening.get())) +
                  request.target;
    request.body = "{}";
    LlmBounds bounds;
    bounds.timeouts = {10s, 10s, 10s};
    bounds.retry = {2, 1ms, 10s};
    LlmResult result;
    const auto before = check::time_of_this_thread();
    call_llm(
        LlmDialect::OpenAi, request, bounds, [](std::string_view) {}, result);
    const auto used = check::time_of_this_thread() - before;
    server.join();
    CHECK(result.failure && result.failure->status == ExitStatus::BadData);
    // Who looks again and again for a second needs far more.
    CHECK(used < 40ms);
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_connection_that_ends_between_two_tries_costs_nothing),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
