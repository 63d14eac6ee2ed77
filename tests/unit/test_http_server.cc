#include "check.hh"
#include "support.hh"

#include "http_talk.hh"

#include <functional>

using namespace ap;
using namespace std::chrono_literals;
using check::run_until;
using check::Talk;
using Exchange = std::shared_ptr<HttpExchange>;

namespace {

// A server on a loopback port, and connections to it.
struct Served
{
    explicit Served(HttpServer::Handler handler, HttpServerConfig config = {})
        : server(listening(std::move(config)), std::move(handler))
    {
    }

    HttpServerConfig listening(HttpServerConfig config)
    {
        config.listen = listen_tcp("127.0.0.1", 0);
        port = local_port(config.listen.get());
        return config;
    }

    Talk connect() const { return Talk(connect_tcp("127.0.0.1", port)); }

    /// What the server has sent once `part` is in it.
    std::string hear(Talk &client, std::string_view part)
    {
        run_until(server, [&] { return client.heard().find(part) != std::string::npos; });
        return client.heard();
    }

    uint16_t port = 0;
    HttpServer server;
};

std::string body_of(std::string_view answer)
{
    return std::string(answer.substr(answer.find("\r\n\r\n") + 4));
}

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

void a_request_is_seen_as_it_was_sent()
{
    std::string seen;
    Served served([&](const Exchange &exchange) {
        seen = std::string(exchange->method()) + "|" + std::string(exchange->target()) +
               "|" + std::string(exchange->path()) + "|" +
               std::string(exchange->query()) + "|" + std::string(exchange->peer());
        for (const HttpField &field : exchange->fields()) {
            seen += "|" + std::string(field.name) + "=" + std::string(field.value);
        }
        exchange->respond(204, {}, "");
    });
    Talk client = served.connect();
    client.say("GET /a%2Fb/../c?x=%20y&z=+?1 HTTP/1.1\r\nHost: h\r\nX-One: 1\r\n"
               "x-one: two words\r\n\r\n");
    CHECK(served.hear(client, "\r\n\r\n").starts_with("HTTP/1.1 204 "));
    CHECK_EQUAL(seen, "GET|/a%2Fb/../c?x=%20y&z=+?1|/a%2Fb/../c|x=%20y&z=+?1|127.0.0.1|"
                      "Host=h|X-One=1|x-one=two words");
}

void an_answer_is_given_at_once()
{
    Served served([](const Exchange &exchange) {
        const HttpField fields[] = {{"X-Reply", "yes"}, {"Content-Length", "999"}};
        exchange->respond(201, fields, "made");
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string answer = served.hear(client, "made");
    CHECK(answer.starts_with("HTTP/1.1 201 "));
    CHECK(contains(answer, "X-Reply: yes\r\n"));
    CHECK(contains(answer, "Content-Length: 4\r\n"));
    CHECK(!contains(answer, "999"));
    CHECK(contains(answer, "Date: "));
}

void an_answer_given_at_once_keeps_the_connection()
{
    Served served([](const Exchange &exchange) { exchange->respond(200, {}, "now"); });
    Talk client = served.connect();
    for (int round = 1; round <= 3; round++) {
        client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        CHECK(!contains(served.hear(client, "now"), "Connection: close"));
        client.forget();
    }
    CHECK_EQUAL(served.server.connections(), 1u);
}

void an_answer_may_come_later_and_the_connection_is_kept()
{
    Exchange waiting;
    int closed_whole = 0;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_close([&](bool whole) { closed_whole += whole ? 1 : 100; });
    });
    Talk client = served.connect();
    for (int round = 1; round <= 3; round++) {
        client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        run_until(served.server, [&] { return waiting != nullptr; });
        for (int i = 0; i < 5; i++) {
            served.server.run();
        }
        CHECK_EQUAL(client.heard(), "");
        CHECK_EQUAL(served.server.active(), 1u);
        waiting->respond(200, {}, "later");
        CHECK_EQUAL(body_of(served.hear(client, "later")), "later");
        run_until(served.server, [&] { return closed_whole == round; });
        CHECK(waiting->over());
        CHECK_EQUAL(served.server.active(), 0u);
        waiting.reset();
        client.forget();
    }
    CHECK_EQUAL(served.server.connections(), 1u);
}

void a_streamed_answer_arrives_piece_by_piece()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    waiting->begin(200, {});
    CHECK(contains(served.hear(client, "\r\n\r\n"), "Transfer-Encoding: chunked"));
    waiting->write("data: one\n\n");
    CHECK(contains(served.hear(client, "one"), "\r\ndata: one\n\n\r\n"));
    waiting->write("data: two\n\n");
    served.hear(client, "two");
    waiting->finish();
    CHECK(served.hear(client, "0\r\n\r\n").ends_with("\r\n0\r\n\r\n"));
    CHECK(!client.ended());
}

void a_shared_text_finished_at_once_is_sent_whole()
{
    const auto text = std::make_shared<const std::string>(300'000, 'x');
    Served served([&](const Exchange &exchange) {
        exchange->begin(200, {});
        exchange->write("begin ");
        exchange->write(text);
        exchange->write(" end");
        exchange->finish();
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.0\r\n\r\n");
    run_until(served.server, [&] { return client.ended(); });
    CHECK(body_of(client.heard()) == "begin " + *text + " end");
}

void an_answer_complete_before_it_is_sent_has_a_length()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    waiting->begin(200, {});
    waiting->write("all ");
    waiting->write("of it");
    waiting->finish();
    const std::string answer = served.hear(client, "of it");
    CHECK(contains(answer, "Content-Length: 9\r\n"));
    CHECK_EQUAL(body_of(answer), "all of it");
}

void a_head_answer_tells_a_length_without_a_body()
{
    Served served([](const Exchange &exchange) {
        exchange->begin(200, {}, 1234);
        exchange->finish();
    });
    Talk client = served.connect();
    client.say("HEAD / HTTP/1.1\r\nHost: h\r\n\r\n");
    const std::string answer = served.hear(client, "\r\n\r\n");
    CHECK(contains(answer, "Content-Length: 1234\r\n"));
    CHECK(body_of(answer).empty());
}

void an_answer_shorter_than_announced_is_cut()
{
    bool whole = true;
    Served served([&](const Exchange &exchange) {
        exchange->on_close([&](bool so) { whole = so; });
        exchange->begin(200, {}, 10);
        exchange->write("short");
        exchange->finish();
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return client.ended(); });
    CHECK(!whole);
}

void an_aborted_stream_is_seen_as_cut()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    waiting->begin(200, {});
    waiting->write("part");
    served.hear(client, "part");
    waiting->abort();
    run_until(served.server, [&] { return client.ended(); });
    CHECK(!client.heard().ends_with("0\r\n\r\n"));
    CHECK(waiting->over());
}

void a_body_is_read_whole_however_it_is_sent()
{
    std::string body;
    Served served([&](const Exchange &exchange) {
        exchange->read_body(1000, [&, exchange](std::string text) {
            body = std::move(text);
            exchange->respond(200, {}, "ok!");
        });
    });
    Talk client = served.connect();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n");
    for (const char byte : std::string_view("0123456789")) {
        CHECK_EQUAL(body, "");
        client.say({&byte, 1});
        served.server.run();
    }
    served.hear(client, "ok!");
    CHECK_EQUAL(body, "0123456789");
    client.forget();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
               "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
    served.hear(client, "ok!");
    CHECK_EQUAL(body, "abcde");
    client.forget();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n");
    served.hear(client, "ok!");
    CHECK_EQUAL(body, "");
}

void a_client_that_expects_to_be_told_is_told_to_go_on()
{
    Served served([&](const Exchange &exchange) {
        exchange->read_body(1000, [exchange](std::string text) {
            exchange->respond(200, {}, "got " + text);
        });
    });
    Talk client = served.connect();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n"
               "Expect: 100-continue\r\n\r\n");
    CHECK(served.hear(client, "\r\n\r\n").starts_with("HTTP/1.1 100 "));
    client.say("body");
    served.hear(client, "got body");
}

void a_body_beyond_the_limit_is_413()
{
    bool called = false;
    Served served([&](const Exchange &exchange) {
        exchange->read_body(4, [&](std::string) { called = true; });
    });
    Talk announced = served.connect();
    announced.say("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n");
    CHECK(served.hear(announced, "\r\n\r\n").starts_with("HTTP/1.1 413 "));
    Talk chunked = served.connect();
    chunked.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                "5\r\nabcde\r\n0\r\n\r\n");
    CHECK(served.hear(chunked, "\r\n\r\n").starts_with("HTTP/1.1 413 "));
    CHECK(!called);
}

void an_endless_unwanted_body_is_cut_off()
{
    Served served([&](const Exchange &exchange) { exchange->read_body(4, [](auto) {}); });
    Talk client = served.connect();
    client.say("POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n");
    const std::string chunk = "4000\r\n" + std::string(0x4000, 'x') + "\r\n";
    std::string_view rest;
    size_t chunks = 0;
    run_until(served.server, [&] {
        if (rest.empty()) {
            rest = chunk;
            chunks++;
        }
        client.say_some(rest);
        return client.ended();
    });
    CHECK(chunks > 100);
}

void a_streamed_upload_is_paused_and_goes_on()
{
    Exchange waiting;
    size_t got = 0;
    bool ended = false;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->stream_body(
            [&](std::string_view piece) {
                got += piece.size();
                waiting->pause_body();
            },
            [&] {
                ended = true;
                waiting->respond(200, {}, "done");
            });
    });
    Talk client = served.connect();
    constexpr size_t size = 3'000'000;
    client.say("PUT / HTTP/1.1\r\nHost: h\r\nContent-Length: " + std::to_string(size) +
               "\r\n\r\n");
    const std::string body(size, 'b');
    std::string_view rest = body;
    run_until(served.server, [&] {
        client.say_some(rest);
        return got > 0;
    });
    const size_t before = got;
    for (int i = 0; i < 20; i++) {
        client.say_some(rest);
        served.server.run();
    }
    CHECK_EQUAL(got, before);
    run_until(served.server, [&] {
        client.say_some(rest);
        waiting->resume_body();
        return ended;
    });
    CHECK_EQUAL(got, size);
    served.hear(client, "done");
}

void a_client_that_leaves_while_it_waits_is_noticed()
{
    Exchange waiting;
    int gone = 0;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_close([&](bool whole) { gone += whole ? 100 : 1; });
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    served.server.run();
    client.hang_up();
    run_until(served.server, [&] { return gone != 0; });
    run_until(served.server, [&] { return served.server.connections() == 0; });
    CHECK_EQUAL(gone, 1);
    CHECK(waiting->over());
    waiting->respond(200, {}, "too late");
    waiting->write("too late");
    waiting->abort();
}

void a_client_that_leaves_an_idle_stream_is_noticed()
{
    Exchange waiting;
    int gone = 0;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_close([&](bool whole) { gone += whole ? 100 : 1; });
        exchange->begin(200, {});
        exchange->write("first");
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    served.hear(client, "first");
    CHECK_EQUAL(gone, 0);
    client.hang_up();
    run_until(served.server, [&] { return gone != 0; });
    CHECK_EQUAL(gone, 1);
}

// A client that leaves unread what was sent to it resets the connection.
void connections_of_clients_that_left_are_closed_though_an_older_one_idles()
{
    int gone = 0;
    HttpServerConfig config;
    config.request_deadline = 60s;
    Served served(
        [&](const Exchange &exchange) {
            exchange->on_close([&](bool) { gone++; });
            exchange->begin(200, {});
            exchange->write("first");
        },
        std::move(config));
    Talk idle = served.connect();
    run_until(served.server, [&] { return served.server.connections() == 1; });
    for (const bool reads : {true, false}) {
        Talk client = served.connect();
        client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
        const Talk &unread = client;
        run_until(served.server, [&] {
            pollfd readable = {unread.fd(), POLLIN, 0};
            return poll(&readable, 1, 0) == 1;
        });
        if (reads) {
            served.hear(client, "first");
        }
        client.hang_up();
        run_until(served.server, [&] { return served.server.connections() == 1; });
    }
    CHECK_EQUAL(gone, 2);
}

void a_client_that_leaves_while_it_is_sent_to_is_noticed()
{
    int gone = 0;
    Exchange waiting;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_close([&](bool whole) { gone += whole ? 100 : 1; });
        exchange->begin(200, {});
        exchange->write(std::string(20'000'000, 'x'));
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting && waiting->queued() < 20'000'000; });
    client.hang_up();
    run_until(served.server, [&] { return gone != 0; });
    CHECK_EQUAL(gone, 1);
}

void a_slow_client_fills_the_queue_which_then_drains()
{
    Exchange waiting;
    int drained = 0;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_drained(1000, [&] { drained++; });
        exchange->begin(200, {}, 20'000'000);
        exchange->write(std::string(20'000'000, 'x'));
        exchange->finish();
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    waiting.reset();
    size_t got = 0;
    run_until(served.server, [&] {
        got += client.heard().size();
        client.forget();
        return got > 20'000'000;
    });
    run_until(served.server, [&] { return served.server.active() == 0; });
}

void the_queue_tells_when_it_has_drained()
{
    Exchange waiting;
    int drained = 0;
    Served served([&](const Exchange &exchange) {
        waiting = exchange;
        exchange->on_drained(1000, [&] { drained++; });
        exchange->begin(200, {});
    });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    served.hear(client, "\r\n\r\n");
    for (int round = 1; round <= 3; round++) {
        waiting->write(std::string(100'000, 'x'));
        CHECK_EQUAL(waiting->queued(), 100'000u);
        run_until(served.server, [&] {
            client.heard();
            return drained == round;
        });
    }
}

void requests_sent_together_are_answered_in_order()
{
    std::vector<Exchange> waiting;
    Served served([&](const Exchange &exchange) { waiting.push_back(exchange); });
    Talk client = served.connect();
    client.say("GET /1 HTTP/1.1\r\nHost: h\r\n\r\nGET /2 HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting.size() == 1; });
    waiting[0]->respond(200, {}, "first");
    run_until(served.server, [&] { return waiting.size() == 2; });
    waiting[1]->respond(200, {}, "second");
    const std::string answers = served.hear(client, "second");
    CHECK(answers.find("first") < answers.find("second"));
}

// The end of the stream comes together with the last request, so that there is nothing
// that would tell it a second time.
void a_client_that_closes_its_side_is_answered_and_closed()
{
    for (const int count : {1, 2, 50}) {
        int asked = 0;
        Served served([&](const Exchange &exchange) {
            asked++;
            exchange->respond(200, {}, "yes");
        });
        Talk client = served.connect();
        std::string requests;
        for (int i = 0; i < count; i++) {
            requests += "GET / HTTP/1.1\r\nHost: h\r\n\r\n";
        }
        client.say(requests);
        CHECK(shutdown(client.fd(), SHUT_WR) == 0);
        run_until(served.server, [&] { return client.ended(); });
        CHECK_EQUAL(asked, count);
        CHECK_EQUAL(served.server.connections(), 0u);
    }
}

void a_client_that_closes_its_side_amid_a_request_is_closed()
{
    bool called = false;
    Served served([&](const Exchange &) { called = true; });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHos");
    CHECK(shutdown(client.fd(), SHUT_WR) == 0);
    run_until(served.server, [&] { return client.ended(); });
    CHECK(!called);
}

void a_client_that_drips_its_request_is_cut()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; },
                  {.request_deadline = 200ms});
    Talk asking = served.connect();
    asking.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for (const std::string_view head :
         {"GET /", "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 100000\r\n\r\n"}) {
        Talk dripping = served.connect();
        dripping.say(head);
        run_until(served.server, [&] {
            std::string_view drip = "x";
            dripping.say_some(drip);
            return dripping.ended();
        });
    }
    run_until(served.server, [&] { return waiting != nullptr; });
    CHECK(!asking.ended());
}

void a_header_beyond_the_limit_is_refused()
{
    bool called = false;
    Served served([&](const Exchange &) { called = true; }, {.connection_memory = 4096});
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\nX: " + std::string(8000, 'x') + "\r\n\r\n");
    CHECK(served.hear(client, "\r\n\r\n").starts_with("HTTP/1.1 431 "));
    CHECK(!called);
}

void an_idle_connection_is_closed_but_not_one_that_waits()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; },
                  {.idle_timeout = 1s});
    Talk idle = served.connect();
    Talk asking = served.connect();
    asking.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting && idle.ended(); });
    CHECK(!asking.ended());
    waiting->respond(200, {}, "still");
    served.hear(asking, "still");
}

void more_connections_than_the_limit_wait()
{
    Served served([&](const Exchange &exchange) { exchange->respond(200, {}, "yes"); },
                  {.connection_limit = 2});
    Talk one = served.connect();
    Talk two = served.connect();
    run_until(served.server, [&] { return served.server.connections() == 2; });
    Talk three = served.connect();
    three.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    for (int i = 0; i < 20; i++) {
        served.server.run();
    }
    CHECK_EQUAL(three.heard(), "");
    one.hang_up();
    served.hear(three, "yes");
}

void draining_answers_what_is_under_way_and_takes_no_more()
{
    Exchange waiting;
    Served served([&](const Exchange &exchange) { waiting = exchange; });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    run_until(served.server, [&] { return waiting != nullptr; });
    served.server.drain();
    served.server.drain();
    waiting->respond(200, {}, "last");
    const std::string answer = served.hear(client, "last");
    CHECK(contains(answer, "Connection: close\r\n"));
    run_until(served.server, [&] { return client.ended(); });
    CHECK_EQUAL(served.server.active(), 0u);
    CHECK_THROWS(served.connect(), SystemError, [](const SystemError &error) {
        CHECK_EQUAL(error.code(), ECONNREFUSED);
    });
}

void the_end_of_the_server_cuts_what_is_under_way()
{
    Exchange waiting;
    Exchange streaming;
    int cut = 0;
    {
        Served served([&](const Exchange &exchange) {
            exchange->on_close([&](bool whole) { cut += whole ? 100 : 1; });
            if (exchange->path() == "/wait") {
                waiting = exchange;
            } else {
                streaming = exchange;
                exchange->begin(200, {});
            }
        });
        Talk one = served.connect();
        one.say("GET /wait HTTP/1.1\r\nHost: h\r\n\r\n");
        Talk two = served.connect();
        two.say("GET /stream HTTP/1.1\r\nHost: h\r\n\r\n");
        served.hear(two, "\r\n\r\n");
        run_until(served.server, [&] { return waiting && streaming; });
    }
    CHECK_EQUAL(cut, 2);
    waiting->respond(200, {}, "nobody hears it");
    streaming->write("nobody hears it");
}

void what_a_handler_throws_comes_out_of_run()
{
    Served served(
        [&](const Exchange &) { throw Error(ExitStatus::BadData, "from the handler"); });
    Talk client = served.connect();
    client.say("GET / HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK_THROWS(run_until(served.server, [] { return false; }), Error,
                 [](const Error &error) {
                     CHECK_EQUAL(std::string(error.what()), "from the handler");
                 });
    run_until(served.server, [&] { return client.ended(); });
    CHECK_EQUAL(served.server.active(), 0u);
}

void a_unix_socket_is_served_too()
{
    const check::TemporaryDirectory directory;
    const std::string path = directory.file("gate.sock");
    HttpServer server({.listen = listen_unix(path)}, [](const Exchange &exchange) {
        exchange->respond(200, {}, exchange->peer() == "unix" ? "unix" : "no");
    });
    Talk client(connect_unix(path));
    client.say("GET / HTTP/1.0\r\n\r\n");
    run_until(server, [&] { return client.ended(); });
    CHECK_EQUAL(body_of(client.heard()), "unix");
}

void a_connection_that_another_accepted_is_served_and_one_that_is_gone_dropped()
{
    const auto answer = [](const Exchange &exchange) {
        exchange->respond(200, {}, std::string(exchange->peer()));
    };
    const Fd listening = listen_tcp("127.0.0.1", 0);
    HttpServer server({}, answer);
    Talk client(connect_tcp("127.0.0.1", local_port(listening.get())));
    server.adopt(Fd(accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK)));
    for (int i = 0; i < 2; i++) {
        client.forget();
        client.say("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        run_until(server, [&] { return contains(client.heard(), "127.0.0.1"); });
    }
    CHECK_EQUAL(server.connections(), 1u);
    Talk gone(connect_tcp("127.0.0.1", local_port(listening.get())));
    Fd connection(accept4(listening.get(), nullptr, nullptr, SOCK_NONBLOCK));
    gone.hang_up();
    client.hang_up();
    server.adopt(std::move(connection));
    run_until(server, [&] { return server.connections() == 0; });
}

void a_certificate_that_is_none_is_refused()
{
    CHECK_THROWS(HttpServer({.listen = listen_tcp("127.0.0.1", 0),
                             .tls_certificate = "no certificate",
                             .tls_key = "no key"},
                            [](const Exchange &) {}),
                 Error,
                 [](const Error &error) { CHECK(error.status() == ExitStatus::Config); });
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_request_is_seen_as_it_was_sent),
        TEST(an_answer_is_given_at_once),
        TEST(an_answer_given_at_once_keeps_the_connection),
        TEST(an_answer_may_come_later_and_the_connection_is_kept),
        TEST(a_streamed_answer_arrives_piece_by_piece),
        TEST(a_shared_text_finished_at_once_is_sent_whole),
        TEST(an_answer_complete_before_it_is_sent_has_a_length),
        TEST(a_head_answer_tells_a_length_without_a_body),
        TEST(an_answer_shorter_than_announced_is_cut),
        TEST(an_aborted_stream_is_seen_as_cut),
        TEST(a_body_is_read_whole_however_it_is_sent),
        TEST(a_client_that_expects_to_be_told_is_told_to_go_on),
        TEST(a_body_beyond_the_limit_is_413),
        TEST(an_endless_unwanted_body_is_cut_off),
        TEST(a_streamed_upload_is_paused_and_goes_on),
        TEST(a_client_that_leaves_while_it_waits_is_noticed),
        TEST(a_client_that_leaves_an_idle_stream_is_noticed),
        TEST(connections_of_clients_that_left_are_closed_though_an_older_one_idles),
        TEST(a_client_that_leaves_while_it_is_sent_to_is_noticed),
        TEST(a_slow_client_fills_the_queue_which_then_drains),
        TEST(the_queue_tells_when_it_has_drained),
        TEST(requests_sent_together_are_answered_in_order),
        TEST(a_client_that_closes_its_side_is_answered_and_closed),
        TEST(a_client_that_closes_its_side_amid_a_request_is_closed),
        TEST(a_client_that_drips_its_request_is_cut),
        TEST(a_header_beyond_the_limit_is_refused),
        TEST(an_idle_connection_is_closed_but_not_one_that_waits),
        TEST(more_connections_than_the_limit_wait),
        TEST(draining_answers_what_is_under_way_and_takes_no_more),
        TEST(the_end_of_the_server_cuts_what_is_under_way),
        TEST(what_a_handler_throws_comes_out_of_run),
        TEST(a_unix_socket_is_served_too),
        TEST(a_connection_that_another_accepted_is_served_and_one_that_is_gone_dropped),
        TEST(a_certificate_that_is_none_is_refused),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
