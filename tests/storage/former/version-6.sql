--
-- PostgreSQL database dump
--


-- Dumped from database version 15.20 (Debian 15.20-0+deb12u1)
-- Dumped by pg_dump version 15.20 (Debian 15.20-0+deb12u1)

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

--
-- Name: SCHEMA_NAME; Type: SCHEMA; Schema: -; Owner: SCHEMA_NAME
--

CREATE SCHEMA SCHEMA_NAME;


ALTER SCHEMA SCHEMA_NAME OWNER TO SCHEMA_NAME;

--
-- Name: webwx_key(text); Type: FUNCTION; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE FUNCTION SCHEMA_NAME.webwx_key(text) RETURNS bytea
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $_$SELECT sha256(convert_to($1, 'UTF8'))$_$;


ALTER FUNCTION SCHEMA_NAME.webwx_key(text) OWNER TO SCHEMA_NAME;

SET default_tablespace = '';

SET default_table_access_method = heap;

--
-- Name: accounts; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.accounts (
    account bigint NOT NULL,
    epoch bigint NOT NULL,
    last_number bigint DEFAULT 0 NOT NULL,
    last_send bigint DEFAULT 0 NOT NULL,
    last_timer bigint DEFAULT 0 NOT NULL,
    last_identity bigint DEFAULT 0 NOT NULL,
    conflicts bigint DEFAULT 0 NOT NULL,
    worker text,
    wanted boolean DEFAULT true NOT NULL,
    taken_at timestamp with time zone,
    restored_at double precision DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE SCHEMA_NAME.accounts OWNER TO SCHEMA_NAME;

--
-- Name: ahead; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.ahead (
    consumer bigint NOT NULL,
    number bigint NOT NULL
);


ALTER TABLE SCHEMA_NAME.ahead OWNER TO SCHEMA_NAME;

--
-- Name: apart; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.apart (
    account bigint NOT NULL,
    number bigint NOT NULL,
    other bigint NOT NULL
);


ALTER TABLE SCHEMA_NAME.apart OWNER TO SCHEMA_NAME;

--
-- Name: audit; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.audit (
    number bigint NOT NULL,
    "time" double precision NOT NULL,
    actor text NOT NULL,
    action text NOT NULL,
    target text NOT NULL,
    detail text NOT NULL
);


ALTER TABLE SCHEMA_NAME.audit OWNER TO SCHEMA_NAME;

--
-- Name: audit_number_seq; Type: SEQUENCE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE SCHEMA_NAME.audit ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME SCHEMA_NAME.audit_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: batches; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.batches (
    account bigint NOT NULL,
    batch bigint NOT NULL,
    "time" double precision NOT NULL,
    body bytea NOT NULL
);
ALTER TABLE ONLY SCHEMA_NAME.batches ALTER COLUMN body SET STORAGE EXTERNAL;


ALTER TABLE SCHEMA_NAME.batches OWNER TO SCHEMA_NAME;

--
-- Name: COLUMN batches.body; Type: COMMENT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

COMMENT ON COLUMN SCHEMA_NAME.batches.body IS 'compressed with a dictionary, which earlier versions do not have';


--
-- Name: consumers; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.consumers (
    consumer bigint NOT NULL,
    account bigint NOT NULL,
    name text NOT NULL,
    acked bigint NOT NULL,
    started bigint NOT NULL,
    isolated_to bigint DEFAULT 0 NOT NULL,
    is_open boolean DEFAULT false NOT NULL,
    opening bigint DEFAULT 0 NOT NULL,
    lock bigint NOT NULL,
    lived_on bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE SCHEMA_NAME.consumers OWNER TO SCHEMA_NAME;

--
-- Name: consumers_consumer_seq; Type: SEQUENCE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE SCHEMA_NAME.consumers ALTER COLUMN consumer ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME SCHEMA_NAME.consumers_consumer_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: contacts; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.contacts (
    place bigint NOT NULL,
    login bigint NOT NULL,
    id text NOT NULL,
    contact bytea NOT NULL
);


ALTER TABLE SCHEMA_NAME.contacts OWNER TO SCHEMA_NAME;

--
-- Name: contacts_place_seq; Type: SEQUENCE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE SCHEMA_NAME.contacts ALTER COLUMN place ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME SCHEMA_NAME.contacts_place_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: conversations; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.conversations (
    consumer bigint NOT NULL,
    key text NOT NULL,
    step text NOT NULL,
    content bytea NOT NULL,
    chat text NOT NULL,
    deadline double precision,
    changed_at double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.conversations OWNER TO SCHEMA_NAME;

--
-- Name: crashes; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.crashes (
    consumer bigint NOT NULL,
    number bigint NOT NULL,
    crashes integer NOT NULL
);


ALTER TABLE SCHEMA_NAME.crashes OWNER TO SCHEMA_NAME;

--
-- Name: entries; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.entries (
    account bigint NOT NULL,
    number bigint NOT NULL,
    login bigint NOT NULL,
    batch bigint NOT NULL,
    kind smallint NOT NULL,
    flags smallint NOT NULL,
    start integer NOT NULL,
    length integer NOT NULL,
    digest bigint NOT NULL,
    "time" bigint NOT NULL,
    message_id text NOT NULL,
    chat text NOT NULL,
    raw bytea,
    words tsvector
);


ALTER TABLE SCHEMA_NAME.entries OWNER TO SCHEMA_NAME;

--
-- Name: failures; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.failures (
    consumer bigint NOT NULL,
    number bigint NOT NULL,
    state text NOT NULL,
    attempts integer NOT NULL,
    error text NOT NULL,
    "time" double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.failures OWNER TO SCHEMA_NAME;

--
-- Name: identities; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.identities (
    account bigint NOT NULL,
    number bigint NOT NULL,
    kind text NOT NULL,
    first_seen double precision NOT NULL,
    became bigint DEFAULT 0 NOT NULL,
    login bigint DEFAULT 0 NOT NULL
);


ALTER TABLE SCHEMA_NAME.identities OWNER TO SCHEMA_NAME;

--
-- Name: links; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.links (
    link bigint NOT NULL,
    account bigint NOT NULL,
    login bigint NOT NULL,
    id text NOT NULL,
    number bigint NOT NULL,
    name text NOT NULL,
    nickname text NOT NULL,
    remark text NOT NULL,
    digest bigint NOT NULL,
    evidence bytea NOT NULL,
    found bytea NOT NULL,
    seen_at double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.links OWNER TO SCHEMA_NAME;

--
-- Name: links_link_seq; Type: SEQUENCE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE SCHEMA_NAME.links ALTER COLUMN link ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME SCHEMA_NAME.links_link_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: login_names; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.login_names (
    name text NOT NULL,
    account bigint NOT NULL,
    opened_at double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.login_names OWNER TO SCHEMA_NAME;

--
-- Name: logins; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.logins (
    login bigint NOT NULL,
    account bigint NOT NULL,
    own_id text NOT NULL,
    "position" bytea NOT NULL,
    opened_at double precision NOT NULL,
    last_at double precision NOT NULL,
    last_body bytea,
    listed bytea
)
WITH (fillfactor='50');


ALTER TABLE SCHEMA_NAME.logins OWNER TO SCHEMA_NAME;

--
-- Name: logins_login_seq; Type: SEQUENCE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE SCHEMA_NAME.logins ALTER COLUMN login ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME SCHEMA_NAME.logins_login_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);


--
-- Name: media; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.media (
    account bigint NOT NULL,
    number bigint NOT NULL,
    message_id text NOT NULL,
    state text NOT NULL,
    digest text NOT NULL,
    size bigint NOT NULL,
    "time" double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.media OWNER TO SCHEMA_NAME;

--
-- Name: media_pieces; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.media_pieces (
    account bigint NOT NULL,
    digest text NOT NULL,
    piece integer NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY SCHEMA_NAME.media_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;


ALTER TABLE SCHEMA_NAME.media_pieces OWNER TO SCHEMA_NAME;

--
-- Name: names; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.names (
    login bigint NOT NULL,
    name bytea NOT NULL,
    id text NOT NULL,
    text text DEFAULT ''::text NOT NULL
);


ALTER TABLE SCHEMA_NAME.names OWNER TO SCHEMA_NAME;

--
-- Name: outbox; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.outbox (
    account bigint NOT NULL,
    number bigint NOT NULL,
    client_id text NOT NULL,
    key text NOT NULL,
    chat text NOT NULL,
    kind text NOT NULL,
    text text NOT NULL,
    state text NOT NULL,
    epoch bigint NOT NULL,
    sender bigint NOT NULL,
    message_id text DEFAULT ''::text NOT NULL,
    receipt bytea,
    ret integer DEFAULT 0 NOT NULL,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL,
    addressed text DEFAULT ''::text NOT NULL,
    content_id text DEFAULT ''::text NOT NULL
);


ALTER TABLE SCHEMA_NAME.outbox OWNER TO SCHEMA_NAME;

--
-- Name: real_ids; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.real_ids (
    account bigint NOT NULL,
    login bigint NOT NULL,
    id text NOT NULL,
    wxid text NOT NULL
);


ALTER TABLE SCHEMA_NAME.real_ids OWNER TO SCHEMA_NAME;

--
-- Name: records; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.records (
    kind text NOT NULL,
    id text NOT NULL,
    version bigint NOT NULL,
    body bytea NOT NULL,
    changed_at double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.records OWNER TO SCHEMA_NAME;

--
-- Name: saved_logins; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.saved_logins (
    name text NOT NULL,
    login bytea,
    contacts bytea,
    last_id bigint DEFAULT 0 NOT NULL,
    lock bigint NOT NULL,
    changes bigint DEFAULT 0 NOT NULL
);


ALTER TABLE SCHEMA_NAME.saved_logins OWNER TO SCHEMA_NAME;

--
-- Name: send_pieces; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.send_pieces (
    account bigint NOT NULL,
    number bigint NOT NULL,
    piece integer NOT NULL,
    bytes bytea NOT NULL
);
ALTER TABLE ONLY SCHEMA_NAME.send_pieces ALTER COLUMN bytes SET STORAGE EXTERNAL;


ALTER TABLE SCHEMA_NAME.send_pieces OWNER TO SCHEMA_NAME;

--
-- Name: states; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.states (
    account bigint NOT NULL,
    name text NOT NULL,
    state bytea NOT NULL
);


ALTER TABLE SCHEMA_NAME.states OWNER TO SCHEMA_NAME;

--
-- Name: timers; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.timers (
    account bigint NOT NULL,
    number bigint NOT NULL,
    bot text NOT NULL,
    handler text NOT NULL,
    key text NOT NULL,
    name text NOT NULL,
    chat text NOT NULL,
    payload bytea NOT NULL,
    due_at double precision NOT NULL,
    state text NOT NULL,
    failures integer DEFAULT 0 NOT NULL,
    created_at double precision NOT NULL,
    changed_at double precision NOT NULL
);


ALTER TABLE SCHEMA_NAME.timers OWNER TO SCHEMA_NAME;

--
-- Name: webwx_schema; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.webwx_schema (
    version integer NOT NULL
);


ALTER TABLE SCHEMA_NAME.webwx_schema OWNER TO SCHEMA_NAME;

--
-- Name: workers; Type: TABLE; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE TABLE SCHEMA_NAME.workers (
    worker text NOT NULL,
    address text NOT NULL,
    capacity bigint NOT NULL,
    expires timestamp with time zone NOT NULL,
    draining boolean DEFAULT false NOT NULL,
    renewed timestamp with time zone DEFAULT now() NOT NULL,
    weight bigint,
    loop_lag double precision DEFAULT 0 NOT NULL,
    failed_bots bigint DEFAULT 0 NOT NULL
)
WITH (fillfactor='50');


ALTER TABLE SCHEMA_NAME.workers OWNER TO SCHEMA_NAME;

--
-- Data for Name: accounts; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.accounts VALUES (2400001, 1, 11, 5, 1, 5, 1, NULL, true, NULL, 0);


--
-- Data for Name: ahead; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.ahead VALUES (1, 4);
INSERT INTO SCHEMA_NAME.ahead VALUES (1, 3);


--
-- Data for Name: apart; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.apart VALUES (2400001, 5, 1);
INSERT INTO SCHEMA_NAME.apart VALUES (2400001, 1, 5);


--
-- Data for Name: audit; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.audit OVERRIDING SYSTEM VALUE VALUES (1, 1.75, 'someone', 'key.create', '1', '');


--
-- Data for Name: batches; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.batches VALUES (2400001, 1, 1796075975, '\x783f1d7afc95edfd09801c45f9bf81f76637d7249b0440454552042009cc2ebb9b3b8124bbb9211749b80485de99de9d2633d343f74c368b08f15651c1fb5654c45b51f1160d898a3778df1a4505ef20aaa090fdff9ff7ad9ea9dddd70fafdfdbebfffdfcd6667babbaaea7ddf7aebad4fbdf556f5ff0700000001');
INSERT INTO SCHEMA_NAME.batches VALUES (2400001, 2, 1796075976.384412, '\x783f1d7afc95edfd09801c45f9bf81f76637d7249b0440454552042009cc2ebb9b3b8124bbb9211749b80485de99de9d2633d343f74c368b08f15651c1fb5654c45b51f1160d898a3778df1a4505ef20aaa090fdff9ff7ad9ea9dddd70fafdfdbebfffdfcd6667babbaaea7ddf7aebad4fbdf556f5ff0700000001');
INSERT INTO SCHEMA_NAME.batches VALUES (2400001, 3, 1796075976.4009209, '\x783f1d7afc95edfd09801c45f9bf81f76637d7249b0440454552042009cc2ebb9b3b8124bbb9211749b80485de99de9d2633d343f74c368b08f15651c1fb5654c45b51f1160d898a3778df1a4505ef20aaa090fdff9ff7ad9ea9dddd70fafdfdbebfffdfcd6667babbaaea7ddf7aebad4fbdf556f5334698ea67a8a1ee7866769811bef019b352a59fd5392b6b46dbe0be380cca791e8db0c4a5809b8d3ed499352262db63aac1eeaa91224718dd0efbf3ccac53771709ffb3754b910fa7ee7924fccfd62d453e9cbae793f03f5bb714f970ea5e40c2ff6cdd52e4e1ea7eda33ff3fb4e6bfa8');
INSERT INTO SCHEMA_NAME.batches VALUES (2400001, 8, 1796075976.4036236, '\x783f1d7afc95edfd09801c45f9bf81f76637d7249b0440454552042009cc2ebb9b3b8124bbb9211749b80485de99de9d2633d343f74c368b08f15651c1fb5654c45b51f1160d898a3778df1a4505ef20aaa090fdff9ff7ad9ea9dddd70fafdfdbebfffdfcd6667babbaaea7ddf7aebad4fbdf556f5334698ea67a8a1ee7866769811bef019b352a55f9235a32d705f1c06e5fcacac9935c20e97026e367a5067d688806d7ff9f5cdd7fde69d37fffa93afb9f3d52f21e108c3db617f9e997d86ab90b35636ea735471d645b505bd8b97cc22f5ff08b57e39aa1682d844e5e0c189ed8da39d41f969cffcff0024226e98');


--
-- Data for Name: consumers; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.consumers OVERRIDING SYSTEM VALUE VALUES (1, 2400001, 'bot', 1, 11, 0, false, 1, 9171216593499282482, 0);


--
-- Data for Name: contacts; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.contacts OVERRIDING SYSTEM VALUE VALUES (1, 1, '@ann-1', '\x7b226964223a2240616e6e2d31222c226e69636b6e616d65223a22616e6e222c2272656d61726b223a22222c22616c696173223a22222c226b696e64223a22667269656e64222c226d656d62657273223a5b5d2c2269735f70696e6e6564223a66616c73652c2269735f6f776e6572223a66616c73652c226176617461725f6b6579223a22222c2275696e223a302c2270696e79696e223a22222c2272656d61726b5f70696e79696e223a22222c22617661746172223a333837373636333334372c227369676e6174757265223a22222c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3222c22736578223a302c22617474725f737461747573223a302c2269735f696e636f6d706c657465223a66616c73652c226f776e6572223a22222c2269735f6d75746564223a66616c73652c2269735f73746172726564223a66616c73652c2269735f626c6f636b6564223a66616c73657d');
INSERT INTO SCHEMA_NAME.contacts OVERRIDING SYSTEM VALUE VALUES (2, 1, '@bob-1', '\x7b226964223a2240626f622d31222c226e69636b6e616d65223a22626f62222c2272656d61726b223a22222c22616c696173223a22222c226b696e64223a22667269656e64222c226d656d62657273223a5b5d2c2269735f70696e6e6564223a66616c73652c2269735f6f776e6572223a66616c73652c226176617461725f6b6579223a22222c2275696e223a302c2270696e79696e223a22222c2272656d61726b5f70696e79696e223a22222c22617661746172223a343132333736373130342c227369676e6174757265223a22222c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3222c22736578223a302c22617474725f737461747573223a302c2269735f696e636f6d706c657465223a66616c73652c226f776e6572223a22222c2269735f6d75746564223a66616c73652c2269735f73746172726564223a66616c73652c2269735f626c6f636b6564223a66616c73657d');
INSERT INTO SCHEMA_NAME.contacts OVERRIDING SYSTEM VALUE VALUES (3, 2, '@ann-2', '\x7b226964223a2240616e6e2d32222c226e69636b6e616d65223a22616e6e222c2272656d61726b223a22222c22616c696173223a22222c226b696e64223a22667269656e64222c226d656d62657273223a5b5d2c2269735f70696e6e6564223a66616c73652c2269735f6f776e6572223a66616c73652c226176617461725f6b6579223a22222c2275696e223a302c2270696e79696e223a22222c2272656d61726b5f70696e79696e223a22222c22617661746172223a333837373636333334372c227369676e6174757265223a22222c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3222c22736578223a302c22617474725f737461747573223a302c2269735f696e636f6d706c657465223a66616c73652c226f776e6572223a22222c2269735f6d75746564223a66616c73652c2269735f73746172726564223a66616c73652c2269735f626c6f636b6564223a66616c73657d');
INSERT INTO SCHEMA_NAME.contacts OVERRIDING SYSTEM VALUE VALUES (4, 2, '@bob-2', '\x7b226964223a2240626f622d32222c226e69636b6e616d65223a22626f62222c2272656d61726b223a22222c22616c696173223a22222c226b696e64223a22667269656e64222c226d656d62657273223a5b5d2c2269735f70696e6e6564223a66616c73652c2269735f6f776e6572223a66616c73652c226176617461725f6b6579223a22222c2275696e223a302c2270696e79696e223a22222c2272656d61726b5f70696e79696e223a22222c22617661746172223a343132333736373130342c227369676e6174757265223a22222c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3222c22736578223a302c22617474725f737461747573223a302c2269735f696e636f6d706c657465223a66616c73652c226f776e6572223a22222c2269735f6d75746564223a66616c73652c2269735f73746172726564223a66616c73652c2269735f626c6f636b6564223a66616c73657d');


--
-- Data for Name: conversations; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.conversations VALUES (1, '@ann', 'name', '\x7b7d', '@friend', 1796075975, 1.5);


--
-- Data for Name: crashes; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.crashes VALUES (1, 5, 2);



--
-- Data for Name: entries; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 1, 2, 1, 3, 0, 0, 0, 0, 1796075975, '', '', '\x7b226576656e74223a22636f6e74696e756974795f6c6f7374222c226e756d626572223a302c22726564656c697665726564223a66616c73652c226261636b6c6f67223a66616c73652c2273696e6365223a313739363037353937352e302c22756e74696c223a313739363037353937352e302c22726561736f6e223a226e65775f6c6f67696e227d', NULL);
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 2, 3, 2, 3, 0, 0, 0, 0, 1796075976, '', '', '\x7b226576656e74223a22636f6e74696e756974795f6c6f7374222c226e756d626572223a302c22726564656c697665726564223a66616c73652c226261636b6c6f67223a66616c73652c2273696e6365223a313739363037353937352e302c22756e74696c223a313739363037353937362e3338343431322c22726561736f6e223a226e65775f6c6f67696e227d', NULL);
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 3, 3, 3, 0, 0, 40, 123, -9104016799880112568, 1700000000, '1', '@friend', NULL, '''1'':2 ''text'':1');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 4, 3, 3, 0, 0, 164, 123, 7594442823230355306, 1700000000, '2', '@friend', NULL, '''2'':2 ''text'':1');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 5, 3, 3, 0, 0, 288, 123, -7548519650665423127, 1700000000, '3', '@friend', NULL, '''3'':2 ''text'':1');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 6, 3, 3, 0, 0, 412, 123, -5574936061008860501, 1700000000, '4', '@friend', NULL, '''4'':2 ''text'':1');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 7, 3, 3, 0, 0, 536, 123, 7024835254199718651, 1700000000, '5', '@friend', NULL, '''5'':2 ''text'':1');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 8, 3, 8, 0, 0, 40, 127, -6631777707828569972, 1700000000, '9', '@friend', NULL, '''世'':3 ''你'':1 ''好'':2 ''界'':4');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 9, 3, 8, 1, 0, 168, 45, 0, 1796075976, '', '', NULL, NULL);
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 10, 3, 8, 0, 0, 214, 126, 2952686307502211305, 1700000000, '9', '@friend', NULL, '''another'':1 ''one'':2');
INSERT INTO SCHEMA_NAME.entries VALUES (2400001, 11, 3, 8, 0, 2, 341, 7, -993583934515453745, 1796075976, 'e4ac3cb8221f84f51823fb1237c1fd63', '', NULL, NULL);


--
-- Data for Name: failures; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.failures VALUES (1, 2, 'trying', 1, 'ValueError', 1796075976.406423);
INSERT INTO SCHEMA_NAME.failures VALUES (1, 3, 'dead', 1, 'KeyError', 1796075976.407323);


--
-- Data for Name: identities; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.identities VALUES (2400001, 3, 'chatroom', 1796075975, 0, 1);
INSERT INTO SCHEMA_NAME.identities VALUES (2400001, 2, 'person', 1796075975, 0, 2);
INSERT INTO SCHEMA_NAME.identities VALUES (2400001, 4, 'chatroom', 1796075975, 0, 2);
INSERT INTO SCHEMA_NAME.identities VALUES (2400001, 1, 'person', 1796075975, 0, 1);
INSERT INTO SCHEMA_NAME.identities VALUES (2400001, 5, 'person', 1796075975, 0, 2);


--
-- Data for Name: links; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (1, 2400001, 1, '@ann-1', 1, 'ann', 'ann', '', 3257945299096258236, '\x7b226b696e64223a22706572736f6e222c226e69636b6e616d65223a22616e6e222c22617661746172223a333837373636333334372c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3227d', '\x7b226279223a227365656e222c22636f6e666964656e6365223a312e307d', 1796075975);
INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (2, 2400001, 1, '@bob-1', 2, '0鲍勃1', '0鲍勃1', '', 7711965351392691407, '\x7b226b696e64223a22706572736f6e222c226e69636b6e616d65223a225c7530303030e9b28de58b83ee8080222c22617661746172223a343132333736373130342c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3227d', '\x7b226279223a227365656e222c22636f6e666964656e6365223a312e307d', 1796075975);
INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (3, 2400001, 1, '@@room-1', 3, 'room', 'room', '', 8739655713820809124, '\x7b226b696e64223a2263686174726f6f6d222c226e69636b6e616d65223a22726f6f6d222c226d656d62657273223a5b5b333837373636333334372c315d5d7d', '\x7b226279223a227365656e222c22636f6e666964656e6365223a312e307d', 1796075975);
INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (5, 2400001, 2, '@bob-2', 2, '0鲍勃1', '0鲍勃1', '', 7037466466336924889, '\x7b226b696e64223a22706572736f6e222c226e69636b6e616d65223a225c7530303030e9b28de58b83ee8080222c22617661746172223a343132333736373130342c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3227d', '\x7b226279223a226d617463686564222c22636f6e666964656e6365223a302e3939393939392c22726561736f6e73223a5b7b2277686174223a226e69636b6e616d65222c22776569676874223a31322c22616772656573223a747275657d2c7b2277686174223a22617661746172222c22776569676874223a32342c22616772656573223a747275657d2c7b2277686174223a22726567696f6e222c22776569676874223a332e342c22616772656573223a747275657d5d7d', 1796075975);
INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (6, 2400001, 2, '@@room-2', 4, 'room', 'room', '', 3458530020129273983, '\x7b226b696e64223a2263686174726f6f6d222c226e69636b6e616d65223a22726f6f6d222c226d656d62657273223a5b5b333837373636333334372c315d5d7d', '\x7b226279223a22616d626967756f7573222c22636f6e666964656e6365223a312e302c22726561736f6e73223a5b7b2277686174223a226e69636b6e616d65222c22776569676874223a31322c22616772656573223a747275657d2c7b2277686174223a226d656d62657273222c22776569676874223a362e302c22616772656573223a747275657d5d2c2263616e64696461746573223a5b335d7d', 1796075975);
INSERT INTO SCHEMA_NAME.links OVERRIDING SYSTEM VALUE VALUES (4, 2400001, 2, '@ann-2', 5, 'ann', 'ann', '', 6953173136079695226, '\x7b226b696e64223a22706572736f6e222c2277786964223a22777869645f616e6e222c226e69636b6e616d65223a22616e6e222c22617661746172223a333837373636333334372c22726567696f6e223a22e5b9bfe4b89c20e6b7b1e59cb3227d', '\x7b226279223a2268616e64222c2263616e64696461746573223a5b315d7d', 1796075975);


--
-- Data for Name: login_names; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.login_names VALUES ('me/wx.qq.com', 2400001, 2.5);


--
-- Data for Name: logins; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.logins OVERRIDING SYSTEM VALUE VALUES (1, 2400001, '@me-1', '\x', 1796075975, 1796075975, NULL, '\xf7b3b8376399626e');
INSERT INTO SCHEMA_NAME.logins OVERRIDING SYSTEM VALUE VALUES (2, 2400001, '@me-2', '\x', 1796075975, 1796075975, NULL, '\xda92555b9bc5ad35');
INSERT INTO SCHEMA_NAME.logins OVERRIDING SYSTEM VALUE VALUES (3, 2400001, '@me', '\x68657265', 1796075976.384412, 1796075976.4036236, '\xe91df1c1421437bcc95d6f0d098e4bf1', NULL);


--
-- Data for Name: media; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.media VALUES (2400001, 3, '1', 'kept', '40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880', 256, 4);
INSERT INTO SCHEMA_NAME.media VALUES (2400001, 4, '2', 'too_large', '', 0, 4);


--
-- Data for Name: media_pieces; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.media_pieces VALUES (2400001, '40aff2e9d2d8922e47afd4648e6967497158785fbd1da870e7110266bf944880', 0, '\x000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f404142434445464748494a4b4c4d4e4f505152535455565758595a5b5c5d5e5f606162636465666768696a6b6c6d6e6f707172737475767778797a7b7c7d7e7f808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9fa0a1a2a3a4a5a6a7a8a9aaabacadaeafb0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7c8c9cacbcccdcecfd0d1d2d3d4d5d6d7d8d9dadbdcdddedfe0e1e2e3e4e5e6e7e8e9eaebecedeeeff0f1f2f3f4f5f6f7f8f9fafbfcfdfeff');


--
-- Data for Name: names; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.names VALUES (1, '\x49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1', '@ann-1', 'ann');
INSERT INTO SCHEMA_NAME.names VALUES (1, '\x81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9', '@bob-1', 'bob');
INSERT INTO SCHEMA_NAME.names VALUES (2, '\x49915e0d7d4b402e3017d010bc1c0e83cac6c797d6c16e66340fe3268693a6a1', '@ann-2', 'ann');
INSERT INTO SCHEMA_NAME.names VALUES (2, '\x81b637d8fcd2c6da6359e6963113a1170de795e4b725b84d1e0b4cfd9ec58ce9', '@bob-2', 'bob');


--
-- Data for Name: outbox; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.outbox VALUES (2400001, 1, '0', 'key 0', '@friend', 'text', '你好', 'sent', 1, 0, '77', '\x7b226d6573736167655f6964223a223737222c22636c69656e745f6964223a2230222c2263686174223a2240667269656e64222c2274696d65223a332c22776179223a2273656e74227d', 0, 2.5, 3.5, '', '');
INSERT INTO SCHEMA_NAME.outbox VALUES (2400001, 2, '1', 'key 1', '@friend', 'text', '你好', 'failed', 1, 0, '', NULL, 7, 2.5, 3.5, '', '');
INSERT INTO SCHEMA_NAME.outbox VALUES (2400001, 3, '2', 'key 2', '@friend', 'text', '你好', 'unknown', 1, 0, '', NULL, 0, 2.5, 3.5, '', '');
INSERT INTO SCHEMA_NAME.outbox VALUES (2400001, 4, '3', 'key 3', '@friend', 'text', '你好', 'queued', 1, 0, '', NULL, 0, 2.5, 3.5, '', '');


--
-- Data for Name: real_ids; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.real_ids VALUES (2400001, 2, '@ann-2', 'wxid_ann');


--
-- Data for Name: records; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.records VALUES ('key', '1', 1, '\x7b7d', 1.25);


--
-- Data for Name: saved_logins; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.saved_logins VALUES ('me/wx.qq.com', '\x7b7d', '\x5b5d', 3, 77, 2);


--
-- Data for Name: send_pieces; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.send_pieces VALUES (2400001, 4, 0, '\x7069656365');


--
-- Data for Name: states; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.states VALUES (2400001, 'limiter', '\x007374617465');


--
-- Data for Name: timers; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.timers VALUES (2400001, 1, 'bot', 'remind', 't', 'tea', '@friend', '\x22e88cb622', 9.5, 'waiting', 0, 1, 1);


--
-- Data for Name: webwx_schema; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.webwx_schema VALUES (6);


--
-- Data for Name: workers; Type: TABLE DATA; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

INSERT INTO SCHEMA_NAME.workers VALUES ('gone', '127.0.0.1:1', 5, '2001-01-01 00:00:00+00', false, '2026-11-30 21:59:36.546361+00', NULL, 0, 0);


--
-- Name: audit_number_seq; Type: SEQUENCE SET; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

SELECT pg_catalog.setval('SCHEMA_NAME.audit_number_seq', 1, true);


--
-- Name: consumers_consumer_seq; Type: SEQUENCE SET; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

SELECT pg_catalog.setval('SCHEMA_NAME.consumers_consumer_seq', 1, true);


--
-- Name: contacts_place_seq; Type: SEQUENCE SET; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

SELECT pg_catalog.setval('SCHEMA_NAME.contacts_place_seq', 4, true);


--
-- Name: links_link_seq; Type: SEQUENCE SET; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

SELECT pg_catalog.setval('SCHEMA_NAME.links_link_seq', 6, true);


--
-- Name: logins_login_seq; Type: SEQUENCE SET; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

SELECT pg_catalog.setval('SCHEMA_NAME.logins_login_seq', 3, true);


--
-- Name: accounts accounts_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.accounts
    ADD CONSTRAINT accounts_pkey PRIMARY KEY (account);


--
-- Name: ahead ahead_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.ahead
    ADD CONSTRAINT ahead_pkey PRIMARY KEY (consumer, number);


--
-- Name: apart apart_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.apart
    ADD CONSTRAINT apart_pkey PRIMARY KEY (account, number, other);


--
-- Name: audit audit_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.audit
    ADD CONSTRAINT audit_pkey PRIMARY KEY (number);


--
-- Name: batches batches_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.batches
    ADD CONSTRAINT batches_pkey PRIMARY KEY (account, batch);


--
-- Name: consumers consumers_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.consumers
    ADD CONSTRAINT consumers_pkey PRIMARY KEY (consumer);


--
-- Name: contacts contacts_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.contacts
    ADD CONSTRAINT contacts_pkey PRIMARY KEY (login, id);


--
-- Name: crashes crashes_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.crashes
    ADD CONSTRAINT crashes_pkey PRIMARY KEY (consumer, number);


--
-- Name: entries entries_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (account, number);


--
-- Name: failures failures_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.failures
    ADD CONSTRAINT failures_pkey PRIMARY KEY (consumer, number);


--
-- Name: identities identities_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.identities
    ADD CONSTRAINT identities_pkey PRIMARY KEY (account, number);


--
-- Name: links links_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.links
    ADD CONSTRAINT links_pkey PRIMARY KEY (account, login, id);


--
-- Name: login_names login_names_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.login_names
    ADD CONSTRAINT login_names_pkey PRIMARY KEY (name, account);


--
-- Name: logins logins_account_own_id_key; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.logins
    ADD CONSTRAINT logins_account_own_id_key UNIQUE (account, own_id);


--
-- Name: logins logins_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.logins
    ADD CONSTRAINT logins_pkey PRIMARY KEY (login);


--
-- Name: media_pieces media_pieces_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.media_pieces
    ADD CONSTRAINT media_pieces_pkey PRIMARY KEY (account, digest, piece);


--
-- Name: media media_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.media
    ADD CONSTRAINT media_pkey PRIMARY KEY (account, number);


--
-- Name: names names_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.names
    ADD CONSTRAINT names_pkey PRIMARY KEY (login, name, id);


--
-- Name: outbox outbox_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.outbox
    ADD CONSTRAINT outbox_pkey PRIMARY KEY (account, number);


--
-- Name: real_ids real_ids_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.real_ids
    ADD CONSTRAINT real_ids_pkey PRIMARY KEY (account, login, id);


--
-- Name: records records_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.records
    ADD CONSTRAINT records_pkey PRIMARY KEY (kind, id);


--
-- Name: saved_logins saved_logins_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.saved_logins
    ADD CONSTRAINT saved_logins_pkey PRIMARY KEY (name);


--
-- Name: send_pieces send_pieces_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.send_pieces
    ADD CONSTRAINT send_pieces_pkey PRIMARY KEY (account, number, piece);


--
-- Name: states states_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.states
    ADD CONSTRAINT states_pkey PRIMARY KEY (account, name);


--
-- Name: timers timers_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.timers
    ADD CONSTRAINT timers_pkey PRIMARY KEY (account, number);


--
-- Name: workers workers_pkey; Type: CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.workers
    ADD CONSTRAINT workers_pkey PRIMARY KEY (worker);


--
-- Name: accounts_worker; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX accounts_worker ON SCHEMA_NAME.accounts USING btree (worker);


--
-- Name: batches_time; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX batches_time ON SCHEMA_NAME.batches USING btree ("time");


--
-- Name: consumers_name; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE UNIQUE INDEX consumers_name ON SCHEMA_NAME.consumers USING btree (account, SCHEMA_NAME.webwx_key(name));


--
-- Name: conversations_deadline; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX conversations_deadline ON SCHEMA_NAME.conversations USING btree (consumer, deadline) WHERE (deadline IS NOT NULL);


--
-- Name: conversations_key; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE UNIQUE INDEX conversations_key ON SCHEMA_NAME.conversations USING btree (consumer, SCHEMA_NAME.webwx_key(key));


--
-- Name: entries_chat; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX entries_chat ON SCHEMA_NAME.entries USING btree (account, hashtextextended(chat, (0)::bigint), number) WHERE (chat <> ''::text);


--
-- Name: entries_message; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX entries_message ON SCHEMA_NAME.entries USING btree (account, hashtextextended(message_id, (0)::bigint)) WHERE (message_id <> ''::text);


--
-- Name: entries_rare; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX entries_rare ON SCHEMA_NAME.entries USING btree (account, number) WHERE ((((flags)::integer & 14) <> 0) OR (batch = 0));


--
-- Name: entries_words; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX entries_words ON SCHEMA_NAME.entries USING gin (account, words);


--
-- Name: failures_held; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX failures_held ON SCHEMA_NAME.failures USING btree (consumer, number) WHERE (state = 'held'::text);


--
-- Name: failures_revived; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX failures_revived ON SCHEMA_NAME.failures USING btree (consumer, number) WHERE (state = 'revived'::text);


--
-- Name: links_id; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX links_id ON SCHEMA_NAME.links USING btree (account, id);


--
-- Name: links_nickname; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX links_nickname ON SCHEMA_NAME.links USING btree (account, hashtextextended(nickname, (0)::bigint)) WHERE (nickname <> ''::text);


--
-- Name: links_number; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX links_number ON SCHEMA_NAME.links USING btree (account, number, login);


--
-- Name: links_remark; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX links_remark ON SCHEMA_NAME.links USING btree (account, hashtextextended(remark, (0)::bigint)) WHERE (remark <> ''::text);


--
-- Name: login_names_account; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX login_names_account ON SCHEMA_NAME.login_names USING btree (account, opened_at);


--
-- Name: media_digest; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX media_digest ON SCHEMA_NAME.media USING btree (account, digest) WHERE (digest <> ''::text);


--
-- Name: media_message; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX media_message ON SCHEMA_NAME.media USING btree (account, hashtextextended(message_id, (0)::bigint));


--
-- Name: outbox_age; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX outbox_age ON SCHEMA_NAME.outbox USING btree (created_at);


--
-- Name: outbox_client_id; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE UNIQUE INDEX outbox_client_id ON SCHEMA_NAME.outbox USING btree (account, SCHEMA_NAME.webwx_key(client_id));


--
-- Name: outbox_key; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE UNIQUE INDEX outbox_key ON SCHEMA_NAME.outbox USING btree (account, SCHEMA_NAME.webwx_key(key)) WHERE (key <> ''::text);


--
-- Name: outbox_message; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX outbox_message ON SCHEMA_NAME.outbox USING btree (account, hashtextextended(message_id, (0)::bigint)) WHERE (message_id <> ''::text);


--
-- Name: outbox_open; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX outbox_open ON SCHEMA_NAME.outbox USING btree (account, number) WHERE (state = ANY (ARRAY['queued'::text, 'sending'::text]));


--
-- Name: real_ids_wxid; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX real_ids_wxid ON SCHEMA_NAME.real_ids USING btree (account, wxid);


--
-- Name: timers_age; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX timers_age ON SCHEMA_NAME.timers USING btree (changed_at) WHERE (state <> 'waiting'::text);


--
-- Name: timers_due; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE INDEX timers_due ON SCHEMA_NAME.timers USING btree (account, due_at) WHERE (state = 'waiting'::text);


--
-- Name: timers_key; Type: INDEX; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

CREATE UNIQUE INDEX timers_key ON SCHEMA_NAME.timers USING btree (account, SCHEMA_NAME.webwx_key(key));


--
-- Name: accounts accounts_worker_fkey; Type: FK CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.accounts
    ADD CONSTRAINT accounts_worker_fkey FOREIGN KEY (worker) REFERENCES SCHEMA_NAME.workers(worker);


--
-- Name: ahead ahead_consumer_fkey; Type: FK CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.ahead
    ADD CONSTRAINT ahead_consumer_fkey FOREIGN KEY (consumer) REFERENCES SCHEMA_NAME.consumers(consumer) ON DELETE CASCADE;


--
-- Name: conversations conversations_consumer_fkey; Type: FK CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.conversations
    ADD CONSTRAINT conversations_consumer_fkey FOREIGN KEY (consumer) REFERENCES SCHEMA_NAME.consumers(consumer) ON DELETE CASCADE;


--
-- Name: crashes crashes_consumer_fkey; Type: FK CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.crashes
    ADD CONSTRAINT crashes_consumer_fkey FOREIGN KEY (consumer) REFERENCES SCHEMA_NAME.consumers(consumer) ON DELETE CASCADE;


--
-- Name: failures failures_consumer_fkey; Type: FK CONSTRAINT; Schema: SCHEMA_NAME; Owner: SCHEMA_NAME
--

ALTER TABLE ONLY SCHEMA_NAME.failures
    ADD CONSTRAINT failures_consumer_fkey FOREIGN KEY (consumer) REFERENCES SCHEMA_NAME.consumers(consumer) ON DELETE CASCADE;


--
-- PostgreSQL database dump complete
--

