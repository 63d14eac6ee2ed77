#include "check.hh"
#include "exchanges.hh"
#include "support.hh"

#include "domain/state.hh"
#include "net/event_hub.hh"
#include "wrap/zlib.hh"

using namespace ap;
using namespace std::chrono_literals;
using check::FakeConnection;

namespace {

bool contains(std::string_view text, std::string_view part)
{
    return text.find(part) != std::string_view::npos;
}

class Fixture
{
public:
    Fixture()
        : writer_(database_.directory().file("autopack.db"), OpenMode::ReadWrite)
        , hub(database_.get(), clock)
    {
    }

    // As another process writes it.
    void write(std::string_view kind, std::string_view run_id = {})
    {
        append_event(writer_, kind, run_id);
    }

    FakeConnection &follow(std::map<std::string, std::string> query = {},
                           std::initializer_list<HttpField> fields = {})
    {
        auto &connection = connections_.emplace_back(
            std::make_unique<FakeConnection>("/api/events/stream", fields));
        HttpRequest request;
        request.query = std::move(query);
        hub.open(connection->exchange, request, false);
        return *connection;
    }

    // What a client hears in the next second.
    std::string next(FakeConnection &connection)
    {
        clock.advance(1s);
        hub.tick();
        return connection.sent();
    }

private:
    check::TemporaryDatabase database_;
    Sqlite writer_;
    std::vector<std::unique_ptr<FakeConnection>> connections_;

public:
    check::ManualClock clock;
    EventHub hub;
};

void a_client_hears_what_is_committed_after_it_came()
{
    Fixture fixture;
    fixture.write("before");
    FakeConnection &client = fixture.follow();
    fixture.write("after");
    const std::string heard = fixture.next(client);
    CHECK(!contains(heard, "before"));
    CHECK(contains(heard, "id: 2\nevent: after\ndata: {"));
    CHECK_EQUAL(fixture.next(client), "");
}

void all_clients_hear_the_same_and_those_of_a_run_its_own()
{
    Fixture fixture;
    FakeConnection &all = fixture.follow();
    FakeConnection &one = fixture.follow({{"run", "r"}});
    fixture.write("of-r", "r");
    fixture.write("of-s", "s");
    const std::string heard = fixture.next(all);
    CHECK(contains(heard, "of-r") && contains(heard, "of-s"));
    const std::string own = one.sent();
    CHECK(contains(own, "of-r") && !contains(own, "of-s"));
}

void a_client_that_comes_back_hears_what_it_missed_once()
{
    Fixture fixture;
    fixture.write("first");
    fixture.write("second");
    FakeConnection &other = fixture.follow();
    FakeConnection &client = fixture.follow({}, {{"Last-Event-ID", "1"}});
    fixture.write("third");
    const std::string heard = fixture.next(client);
    CHECK(!contains(heard, "first"));
    CHECK_EQUAL(heard.find("event: second"), heard.rfind("event: second"));
    CHECK(contains(heard, "second") && contains(heard, "third"));
    CHECK(!contains(other.sent(), "second"));
}

void a_client_that_claims_the_future_hears_what_comes()
{
    Fixture fixture;
    FakeConnection &client = fixture.follow({}, {{"Last-Event-ID", "999"}});
    fixture.write("next");
    CHECK(contains(fixture.next(client), "next"));
}

void a_client_that_does_not_read_is_cut_off()
{
    Fixture fixture;
    FakeConnection &client = fixture.follow();
    const std::string kind(10'000, 'k');
    for (int i = 0; i < 30; i++) {
        fixture.write(kind);
    }
    fixture.clock.advance(1s);
    fixture.hub.tick();
    CHECK(client.exchange->aborted());
}

void news_for_many_clients_come_in_batches()
{
    Fixture fixture;
    for (int i = 0; i < 100; i++) {
        fixture.follow();
    }
    FakeConnection &client = fixture.follow();
    fixture.write("first");
    CHECK(contains(fixture.next(client), "first"));
    fixture.write("second");
    fixture.clock.advance(20ms);
    fixture.hub.tick();
    CHECK_EQUAL(client.sent(), "");
    fixture.clock.advance(21ms); // 101 clients of 0.4 ms
    fixture.hub.tick();
    CHECK(contains(client.sent(), "second"));
}

void the_database_is_looked_at_now_and_then_however_often_it_is_called()
{
    Fixture fixture;
    CHECK(!fixture.hub.due_in());
    FakeConnection &client = fixture.follow();
    fixture.next(client);
    CHECK(fixture.hub.due_in() == EventHub::interval);
    fixture.write("soon");
    fixture.clock.advance(EventHub::interval - 1ms);
    fixture.hub.tick();
    CHECK_EQUAL(client.sent(), "");
    CHECK(fixture.hub.due_in() == 1ms);
    fixture.clock.advance(1ms);
    CHECK(fixture.hub.due_in() == 0ms);
    fixture.hub.tick();
    CHECK(contains(client.sent(), "soon"));
}

void a_client_that_is_gone_is_forgotten()
{
    Fixture fixture;
    FakeConnection &client = fixture.follow();
    CHECK_EQUAL(fixture.hub.watchers(), 1u);
    client.exchange->end(false);
    fixture.hub.tick();
    CHECK_EQUAL(fixture.hub.watchers(), 0u);
}

void a_quiet_stream_is_kept_alive()
{
    Fixture fixture;
    FakeConnection &client = fixture.follow();
    client.sent();
    fixture.clock.advance(15s);
    fixture.hub.tick();
    CHECK_EQUAL(client.sent(), ": alive\n\n");
}

// What a client that takes compressed streams has read of `bytes`; it reads on.
std::string read(Inflate &inflate, std::string_view bytes)
{
    std::string text;
    CHECK(inflate.feed(bytes, [&text](std::string_view piece) { text += piece; }));
    return text;
}

void a_compressed_stream_tells_the_same_at_the_same_moments()
{
    Fixture fixture;
    fixture.write("before", "r");
    fixture.write("missed", "r");
    FakeConnection &plain = fixture.follow({}, {{"Last-Event-ID", "1"}});
    FakeConnection &client =
        fixture.follow({}, {{"Last-Event-ID", "1"}, {"Accept-Encoding", "gzip, br"}});
    FakeConnection &late = fixture.follow({}, {{"Accept-Encoding", "gzip"}});
    FakeConnection &of_s = fixture.follow({{"run", "s"}}, {{"Accept-Encoding", "gzip"}});
    Inflate reader(Inflate::Format::Gzip);
    Inflate late_reader(Inflate::Format::Gzip);
    Inflate reader_of_s(Inflate::Format::Gzip);
    const std::string missed = plain.sent();
    CHECK(contains(missed, "event: missed"));
    CHECK_EQUAL(read(reader, client.sent()), missed);
    CHECK_EQUAL(read(late_reader, late.sent()), "retry: 2000\n: connected\n\n");
    CHECK_EQUAL(read(reader_of_s, of_s.sent()), "retry: 2000\n: connected\n\n");
    for (const char *kind : {"one", "two", "three"}) {
        fixture.write(kind, "r");
        fixture.write(std::string("s-") + kind, "s");
        const std::string heard = fixture.next(plain);
        CHECK(contains(heard, kind));
        CHECK_EQUAL(read(reader, client.sent()), heard);
        CHECK_EQUAL(read(late_reader, late.sent()), heard);
        const std::string own = read(reader_of_s, of_s.sent());
        CHECK(contains(own, "event: s-") && !contains(own, "\"r\""));
    }
    fixture.clock.advance(15s);
    fixture.hub.tick();
    CHECK_EQUAL(read(reader, client.sent()), ": alive\n\n");
    CHECK(!reader.ended());
    fixture.hub.close();
    for (auto &[connection, inflate] :
         {std::pair<FakeConnection &, Inflate &>{client, reader},
          {late, late_reader},
          {of_s, reader_of_s}}) {
        static_cast<void>(read(inflate, connection.sent()));
        CHECK(inflate.ended()); // sum and length were right
    }
}

} // namespace

int main()
{
    const CMUnitTest tests[] = {
        TEST(a_client_hears_what_is_committed_after_it_came),
        TEST(all_clients_hear_the_same_and_those_of_a_run_its_own),
        TEST(a_client_that_comes_back_hears_what_it_missed_once),
        TEST(a_client_that_claims_the_future_hears_what_comes),
        TEST(a_client_that_does_not_read_is_cut_off),
        TEST(news_for_many_clients_come_in_batches),
        TEST(the_database_is_looked_at_now_and_then_however_often_it_is_called),
        TEST(a_client_that_is_gone_is_forgotten),
        TEST(a_quiet_stream_is_kept_alive),
        TEST(a_compressed_stream_tells_the_same_at_the_same_moments),
    };
    return cmocka_run_group_tests(tests, nullptr, nullptr);
}
