"""HTTP/2 over TLS by hyper-h2: one stream after the other, which is what one client call makes."""

import collections

import h2.config
import h2.connection
import h2.errors
import h2.events

import http_paths
from http_paths import Answer, Request


def serve(connection, name, record, number):
    Http2Connection(connection, name, record, number).run()


def flood(connection, name):
    """Frames that carry nothing and are no mistake, without end."""
    frame = {"http2_updates": bytes.fromhex("000004 08 00 00000000 00000001"),  # WINDOW_UPDATE by 1
             "http2_goodbyes": bytes.fromhex("000008 07 00 00000000 7fffffff 00000000")}[name]  # GOAWAY, not yet
    connection.recv(65536)
    connection.sendall(bytes.fromhex("000000 04 00 00000000"))  # SETTINGS
    while True:
        connection.sendall(frame * 1000)


class Http2Connection:
    def __init__(self, connection, name, record, number):
        self.connection, self.name, self.record, self.number = connection, name, record, number
        config = h2.config.H2Configuration(client_side=False, header_encoding="latin-1",
                                           validate_outbound_headers=False)
        self.h2 = h2.connection.H2Connection(config)
        self.requests = {}  # not whole yet, by stream
        self.whole = collections.deque()  # streams whose request has ended
        self.reset = set()  # streams that the client gave up
        self.open = True

    def run(self):
        self.h2.initiate_connection()
        while self.open:
            self.receive()
            while self.open and self.whole:
                stream = self.whole.popleft()
                self.answer(stream, self.requests.pop(stream))

    def receive(self):
        """Sends what is due, waits for the client and takes in what it sends."""
        self.connection.sendall(self.h2.data_to_send())
        data = self.connection.recv(65536)
        self.open = bool(data)
        for event in self.h2.receive_data(data) if data else []:
            self.take(event)
        self.connection.sendall(self.h2.data_to_send())

    def take(self, event):
        if isinstance(event, h2.events.RequestReceived):
            pseudo = {name: value for name, value in event.headers if name.startswith(":")}
            headers = [[name, value] for name, value in event.headers if not name.startswith(":")]
            headers.insert(0, ["host", pseudo[":authority"]])
            self.requests[event.stream_id] = Request(pseudo[":method"], pseudo[":path"], "HTTP/2", headers)
        elif isinstance(event, h2.events.DataReceived):
            self.requests[event.stream_id].body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.StreamEnded):
            self.whole.append(event.stream_id)
        elif isinstance(event, h2.events.StreamReset):
            self.reset.add(event.stream_id)
        elif isinstance(event, h2.events.ConnectionTerminated):
            self.open = False

    def answer(self, stream, request):
        self.record.add("requests", {"server": self.name, "connection": self.number, **request.described()})
        answer = http_paths.answer(request)
        if stream in self.reset:
            return
        if not isinstance(answer, Answer):
            self.h2.reset_stream(stream, h2.errors.ErrorCodes.INTERNAL_ERROR)
            return
        headers = [(name.lower(), value) for name, value in answer.headers]
        bare = request.method == "HEAD" or not answer.may_have_body()
        self.h2.send_headers(stream, [(b":status", b"%d" % answer.status)] + headers, end_stream=bare)
        if not bare:
            self.send_body(stream, answer)

    def send_body(self, stream, answer):
        for part in answer.parts():
            while part and self.open and stream not in self.reset:
                room = min(self.h2.local_flow_control_window(stream), self.h2.max_outbound_frame_size)
                if room == 0:
                    self.receive()
                    continue
                self.h2.send_data(stream, part[:room])
                self.connection.sendall(self.h2.data_to_send())
                part = part[room:]
            if not self.open or stream in self.reset:
                return
        if answer.trailers:
            self.h2.send_headers(stream, [(name.lower(), value) for name, value in answer.trailers], end_stream=True)
        else:
            self.h2.end_stream(stream)
