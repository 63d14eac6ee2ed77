#include "check.hh"
#include "support.hh"

#include "http_talk.hh"
#include "wrap/http_client.hh"

#include <functional>
#include <sys/socket.h>

using namespace ap;
using namespace std::chrono_literals;
using check::Talk;
using How = HttpEnd::How;

namespace {

// Writes down what it hears.
class Listener final : public HttpListener
{
public:
    void on_head(int its_status, std::span<const HttpField> its_fields) override
    {
        status = its_status;
        for (const HttpField &field : its_fields) {
            fields += std::string(field.name) + "=" + std::string(field.value) + ";";
        }
        if (then_head) {
            then_head();
        }
    }
    void on_piece(std::string_view piece) override
    {
        body += piece;
        pieces++;
        if (then_piece) {
            then_piece();
        }
    }
    void on_end(const HttpEnd &its_end) override
    {
        CHECK(!end);
        end = its_end;
        if (then_end) {
            then_end();
        }
    }

    int status = 0;
    std::string fields;
    std::string body;
    int pieces = 0;
    std::optional<HttpEnd> end;
    std::function<void()> then_head;
    std::function<void()> then_piece;
    std::function<void()> then_end;
};

// A client and the listening socket of a server that the test itself plays.
struct Upstream
{
    Upstream()
        : listening(listen_tcp("127.0.0.1", 0))
        , port(local_port(listening.get()))
    {
    }

    std::string url(std::string_view target = "/") const
    {
        return "http://127.0.0.1:" + std::to_string(port) + std::string(target);
    }

    template <typename Condition>
    void run_until(const Condition &condition)
    {
        const auto deadline = std::chrono::steady_clock::now() + 10s;
        while (!condition()) {
            if (std::chrono::steady_clock::now() > deadline) {
                throw std::logic_error("it did not come to pass in ten seconds");
            }
            pollfd watched = {client.fd(), POLLIN, 0};
            const auto wait = client.timeout().value_or(5ms);
            static_cast<void>(
                poll(&watched, 1, static_cast<int>(std::min(wait, 5ms).count())));
            client.run();
        }
    }

    /// The next connection of the client.
    Talk accept()
    {
        Fd taken;
        run_until([&] {
            taken.reset(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
            return static_cast<bool>(taken);
        });
        return Talk(std::move(taken));
    }

    std::string hear(Talk &server, std::string_view part)
    {
        run_until([&] { return server.heard().find(part) != std::string::npos; });
        return server.heard();
    }

    Fd listening;
    uint16_t port;
    HttpClient client;
};

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

void a_request_is_sent_as_given_and_nothing_more()
{
    Upstream upstream;
    Listener listener;
    const HttpField fields[] = {{"X-One", "1"},      {"Host", "elsewhere"},
                                {"x-one", "two  w"}, {"Connection", "close"},
                                {"X-Empty", ""},     {"Content-Length", "77"}};
    const std::string url = upstream.url("/a%2Fb/../c?q=%20&z");
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = fields}, listener);
    Talk server = upstream.accept();
    CHECK_EQUAL(upstream.hear(server, "\r\n\r\n"),
                "GET /a%2Fb/../c?q=%20&z HTTP/1.1\r\nHost: 127.0.0.1:" +
                    std::to_string(upstream.port) +
                    "\r\nX-One: 1\r\nx-one: two  w\r\nX-Empty:\r\n\r\n");
}

void an_answer_is_told_in_pieces_as_it_comes()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    const auto transfer = upstream.client.start(
        {.method = "POST", .url = url, .fields = {}, .body = "{}"}, listener);
    Talk server = upstream.accept();
    const std::string request = upstream.hear(server, "{}");
    CHECK(request.starts_with("POST / HTTP/1.1\r\n"));
    CHECK(contains(request, "Content-Length: 2\r\n"));
    CHECK(!contains(request, "Expect"));
    CHECK(!contains(request, "Content-Type"));
    server.say("HTTP/1.1 103 Early Hints\r\nX: no\r\n\r\n"
               "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nX-A:  b \r\n"
               "Transfer-Encoding: chunked\r\n\r\n");
    upstream.run_until([&] { return listener.status != 0; });
    CHECK_EQUAL(listener.status, 200);
    CHECK_EQUAL(listener.fields,
                "Content-Encoding=gzip;X-A=b;Transfer-Encoding=chunked;");
    for (int i = 1; i <= 3; i++) {
        server.say("4\r\nab\x1f\x8b\r\n");
        upstream.run_until([&] { return listener.pieces == i; });
    }
    CHECK(!listener.end);
    server.say("0\r\nX-Trailer: t\r\n\r\n");
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::Whole);
    CHECK_EQUAL(listener.body, "ab\x1f\x8b"
                               "ab\x1f\x8b"
                               "ab\x1f\x8b");
    CHECK_EQUAL(upstream.client.active(), 0u);
}

void a_connection_is_used_again_with_any_method()
{
    Upstream upstream;
    const std::string url = upstream.url();
    Listener first;
    auto transfer =
        upstream.client.start({.method = "HEAD", .url = url, .fields = {}}, first);
    Talk server = upstream.accept();
    upstream.hear(server, "HEAD / HTTP/1.1");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    upstream.run_until([&] { return first.end.has_value(); });
    CHECK(first.end->how == How::Whole);
    const std::pair<std::string_view, std::optional<std::string_view>> requests[] = {
        {"PUT", "body"}, {"GET", std::nullopt}, {"DELETE", std::nullopt}, {"POST", ""}};
    for (const auto &[method, body] : requests) {
        server.forget();
        Listener listener;
        transfer = upstream.client.start(
            {.method = method, .url = url, .fields = {}, .body = body}, listener);
        const std::string request =
            upstream.hear(server, body && !body->empty() ? *body : "\r\n\r\n");
        CHECK(request.starts_with(std::string(method) + " / HTTP/1.1\r\n"));
        CHECK_EQUAL(contains(request, "Content-Length: "), body.has_value());
        server.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        upstream.run_until([&] { return listener.end.has_value(); });
        CHECK_EQUAL(listener.body, "ok");
    }
}

void a_redirect_is_an_answer_like_any_other()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n");
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK_EQUAL(listener.status, 302);
}

void a_dropped_transfer_closes_its_connection_at_once()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    upstream.run_until([&] { return listener.body == "part"; });
    transfer.drop();
    upstream.run_until([&] { return server.ended(); });
    CHECK(!listener.end);
    CHECK_EQUAL(upstream.client.active(), 0u);
}

void a_listener_may_drop_and_start_transfers()
{
    Upstream upstream;
    Listener listener;
    Listener second;
    const std::string url = upstream.url();
    HttpTransfer transfer;
    HttpTransfer another;
    listener.then_head = [&] {
        transfer.drop();
        another =
            upstream.client.start({.method = "GET", .url = url, .fields = {}}, second);
    };
    transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 429 Wait\r\nContent-Length: 100\r\n\r\npart");
    Talk again = upstream.accept();
    upstream.hear(again, "\r\n\r\n");
    again.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    upstream.run_until([&] { return second.end.has_value(); });
    CHECK(server.ended());
    CHECK(!listener.end);
    CHECK_EQUAL(listener.status, 429);
    CHECK_EQUAL(second.body, "ok");
}

void a_paused_transfer_holds_its_server_back()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    auto transfer = upstream.client.start(
        {.method = "GET", .url = url, .fields = {}, .timeouts = {.idle = 100ms}},
        listener);
    listener.then_piece = [&] { transfer.pause(); };
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    constexpr size_t size = 30'000'000;
    server.say("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(size) + "\r\n\r\n");
    const std::string text(size, 'x');
    std::string_view rest = text;
    const auto start = std::chrono::steady_clock::now();
    // Much longer than the idle timeout, which must not count what we hold back.
    upstream.run_until([&] {
        server.say_some(rest);
        return std::chrono::steady_clock::now() - start > 400ms;
    });
    CHECK(!listener.end);
    CHECK(rest.size() > size / 3);
    CHECK(listener.body.size() < size / 3);
    upstream.run_until([&] {
        server.say_some(rest);
        transfer.resume();
        return listener.end.has_value();
    });
    CHECK(listener.end->how == How::Whole);
    CHECK_EQUAL(listener.body.size(), size);
}

void no_server_is_told_as_nothing_sent()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    upstream.listening.reset();
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::NotSent);
    CHECK(contains(listener.end->reason, "connect"));
}

void only_http_is_spoken()
{
    Upstream upstream;
    Listener listener;
    const auto transfer = upstream.client.start(
        {.method = "GET", .url = "file:///etc/passwd", .fields = {}}, listener);
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::NotSent);
    CHECK_EQUAL(listener.body, "");
}

void an_unknown_certificate_is_not_trusted()
{
    Upstream upstream;
    Listener listener;
    const std::string url = "https://127.0.0.1:" + std::to_string(upstream.port) + "/";
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.run_until([&] { return !server.heard().empty(); });
    server.say("this is no TLS at all");
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::NotSent);
}

void a_silent_server_is_given_up_on()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    const auto transfer = upstream.client.start(
        {.method = "GET", .url = url, .fields = {}, .timeouts = {.first_byte = 50ms}},
        listener);
    Talk server = upstream.accept();
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::FirstByte);
    upstream.run_until([&] { return server.ended(); });
}

void a_stalled_answer_is_given_up_on()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    const auto transfer = upstream.client.start(
        {.method = "GET", .url = url, .fields = {}, .timeouts = {.idle = 50ms}},
        listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::Idle);
    CHECK_EQUAL(listener.body, "part");
}

void a_broken_connection_is_told_as_cut()
{
    Upstream upstream;
    Listener listener;
    const std::string url = upstream.url();
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    upstream.run_until([&] { return listener.body == "part"; });
    server.hang_up();
    upstream.run_until([&] { return listener.end.has_value(); });
    CHECK(listener.end->how == How::Cut);
    CHECK(!listener.end->reason.empty());
}

// On a connection that was used before, libcurl would send it again.
void a_request_that_was_sent_is_not_sent_again()
{
    Upstream upstream;
    const std::string url = upstream.url();
    Listener first;
    const auto one = upstream.client.start(
        {.method = "POST", .url = url, .fields = {}, .body = "one"}, first);
    Talk server = upstream.accept();
    upstream.hear(server, "one");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    upstream.run_until([&] { return first.end.has_value(); });
    Listener second;
    const auto two = upstream.client.start(
        {.method = "POST", .url = url, .fields = {}, .body = "two"}, second);
    upstream.hear(server, "two");
    server.hang_up();
    upstream.run_until([&] { return second.end.has_value(); });
    CHECK(second.end->how == How::Cut);
    Fd again(accept4(upstream.listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
    CHECK(!again || Talk(std::move(again)).heard().empty());
}

void a_connection_found_dead_is_replaced_before_anything_is_sent()
{
    Upstream upstream;
    const std::string url = upstream.url();
    Listener first;
    const auto one = upstream.client.start(
        {.method = "POST", .url = url, .fields = {}, .body = "one"}, first);
    {
        Talk server = upstream.accept();
        upstream.hear(server, "one");
        server.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
        upstream.run_until([&] { return first.end.has_value(); });
    }
    Listener second;
    const auto two = upstream.client.start(
        {.method = "POST", .url = url, .fields = {}, .body = "two"}, second);
    Talk server = upstream.accept();
    upstream.hear(server, "two");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
    upstream.run_until([&] { return second.end.has_value(); });
    CHECK(second.end->how == How::Whole);
}

void what_a_listener_throws_comes_out_of_run()
{
    Upstream upstream;
    Listener listener;
    listener.then_piece = [] { throw Error(ExitStatus::BadData, "from the listener"); };
    const std::string url = upstream.url();
    const auto transfer =
        upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener);
    Talk server = upstream.accept();
    upstream.hear(server, "\r\n\r\n");
    server.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    CHECK_THROWS(upstream.run_until([] { return false; }), Error, [](const Error &error) {
        CHECK_EQUAL(std::string(error.what()), "from the listener");
    });
}

void many_transfers_run_side_by_side()
{
    Upstream upstream;
    constexpr int count = 50;
    std::array<Listener, count> listeners;
    std::vector<HttpTransfer> transfers;
    std::vector<Talk> servers;
    for (Listener &listener : listeners) {
        const std::string url = upstream.url();
        transfers.push_back(
            upstream.client.start({.method = "GET", .url = url, .fields = {}}, listener));
    }
    while (servers.size() < count) {
        servers.push_back(upstream.accept());
    }
    for (Talk &server : servers) {
        upstream.hear(server, "\r\n\r\n");
        server.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
    }
    upstream.run_until([&] { return upstream.client.active() == 0; });
    for (const Listener &listener : listeners) {
        CHECK_EQUAL(listener.body, "ok");
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_request_is_sent_as_given_and_nothing_more),
        TEST(an_answer_is_told_in_pieces_as_it_comes),
        TEST(a_connection_is_used_again_with_any_method),
        TEST(a_redirect_is_an_answer_like_any_other),
        TEST(a_dropped_transfer_closes_its_connection_at_once),
        TEST(a_listener_may_drop_and_start_transfers),
        TEST(a_paused_transfer_holds_its_server_back),
        TEST(no_server_is_told_as_nothing_sent),
        TEST(only_http_is_spoken),
        TEST(an_unknown_certificate_is_not_trusted),
        TEST(a_silent_server_is_given_up_on),
        TEST(a_stalled_answer_is_given_up_on),
        TEST(a_broken_connection_is_told_as_cut),
        TEST(a_request_that_was_sent_is_not_sent_again),
        TEST(a_connection_found_dead_is_replaced_before_anything_is_sent),
        TEST(what_a_listener_throws_comes_out_of_run),
        TEST(many_transfers_run_side_by_side),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
