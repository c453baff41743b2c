"""What is said or keyed becomes a value: a table of utterances for each type and language, and what holds for all."""

from __future__ import annotations

from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowengine.flow.diagnostics import Span
from flowengine.flow.languages.folding import fold
from flowengine.flow.model import Phrase, Phrases
from flowengine.flow.values import fit
from flowengine.flow.writing import Format, amount, clock, day
from flowengine.runtime.spoken import by_keys, key_count, value

# A Thursday.
NOW = datetime(2026, 11, 26, 10, 0, tzinfo=ZoneInfo("Europe/Berlin"))
KINDS = ("digits", "int", "number", "money", "date", "time", "phone", "yesno", "bool", "text", "enum", "list")
LANGUAGES = ("en-US", "en-GB", "de", "de-AT", "de-CH", "xx")
PLACE = Span("f", 1, 1, 1, 2)

SAID: dict[tuple[str, str], dict[str, Any]] = {
    ("digits", "en-US"): {
        "one two three": "123",
        "one two double three": "1233",
        "triple five": "555",
        "oh four": "04",
        "zero zero seven": "007",
        "twelve thirty four": "1234",
        "one hundred": "100",
        "0 4 7": "047",
        "0-4-7": "047",
        "it's 1 2 3 4": "1234",
        "1 2 three": "123",
        "my number is 1 2 3 4 please.": "1234",
        "double oh seven": "007",
        "hello there": None,
        "one two cats": None,
        "for two too": "422",
        "oh": None,
        "": None,
        "twenty two": "22",
        "My PIN is 1,234.": "1234",
        "555-0100": "5550100",
        "double twelve": None,
        "to": "2",
        "Four seven one one.": "4711",
        "uh it's nine nine eight": "998",
        "The code is seven, seven, two, nine": "7729",
        "one thousand two hundred thirty four": "1234",
        "forty two": "42",
        "four double two": "422",
        "zero one two": "012",
        "o one two": "012",
        "nine one one please": "911",
        "my account number is 00 12 34": "001234",
        "my dog is seven": None,
        "seven and eight": "78",
        "Okay, so it's 5 5 5 1 2 1 2": "5551212",
        "ninety nine hundred": "9900",
        "I don't know": None,
        "won too three for": "1234",
        "$12": None,
        "two hundred five": "205",
        "nineteen eighty four": "1984",
        "minus five": None,
        "let me see, one two three": None,
        "That would be 4 4 7 1": "4471",
        "you can use five five one two": None,
        "it's four, double seven, one": "4771",
        "um, 12 34 56": "123456",
        "number is: 90210": "90210",
        "zero, zero, one": "001",
        "nine thousand": "9000",
        "nought four seven": "047",
        "six six six six": "6666",
        "hash one two": None,
    },
    ("digits", "de"): {
        "eins zwei drei": "123",
        "zweiundzwanzig dreiunddreißig": "2233",
        "doppel fünf": "55",
        "zwo": "2",
        "meine Nummer ist 0 4 7": "047",
        "Zwei und zwanzig": "22",
        "hundert": "100",
        "null null sieben": "007",
        "fuenf": "5",
        "zweimal die fünf": None,
        "zweimal fünf": "55",
        "Meine PIN ist 12345.": "12345",
        "ein zwei drei": "123",
        "ich möchte Pizza": None,
        "vier sieben eins eins": "4711",
        "dreimal die null": None,
        "dreifach null eins": "0001",
        "null eins sieben sechs": "0176",
        "Ja, das ist die 4711.": "4711",
        "zwölf vierunddreißig": "1234",
        "einhundertdreiundzwanzig": "123",
        "sieben, sieben, zwo, neun": "7729",
        "siebenundneunzig null acht": "9708",
        "neunzehnhundertvierundachtzig": "1984",
        "tausend": "1000",
        "ich weiß nicht": None,
        "meine Kundennummer lautet eins eins null": "110",
        "fünf und sechs": "56",
        "Doppel-Null sieben": "007",
        "ein Brot": None,
        "fuenfundfuenfzig": "55",
        "sechs 6 sechs": "666",
        "das wäre die eins zwei drei vier": "1234",
        "achtundachtzig null fünf": "8805",
        "Also, die Nummer ist vier, vier, sieben": "447",
        "hundertzwölf": "112",
        "einundzwanzig dreißig": "2130",
        "zwo drei zwo": "232",
        "die letzten Ziffern sind 1234": None,
    },
    ("number", "en-US"): {
        "minus five": -5,
        "three point one four": 3.14,
        "twelve and a half": 12.5,
        "1,200": 1200,
        "a half": 0.5,
        "two hundred and fifty six thousand four hundred": 256400,
        "a hundred": 100,
        "a million": 1000000,
        "twelve hundred": 1200,
        "five apples": None,
        "point five": 0.5,
        "zero point zero five": 0.05,
        "-5": -5,
        "three quarters": 0.75,
        "nine point nine nine": 9.99,
        "0.5": 0.5,
        "one hundred point five": 100.5,
        "five and three quarters": 5.75,
        "minus zero point five": -0.5,
        "twenty two point twenty two": 22.22,
        "3.75": 3.75,
        "1,234,567.5": 1234567.5,
        "pi": None,
        "point": None,
    },
    ("number", "de"): {
        "drei Komma fünf": 3.5,
        "zwölfeinhalb": 12.5,
        "1.200,50": 1200.5,
        "minus fünf": -5,
        "eine Million zweihunderttausend": 1200000,
        "zweitausendfünfhundertdreiundzwanzig": 2523,
        "zwei tausend fünf hundert": 2500,
        "eineinhalb": 1.5,
        "12,5": 12.5,
        "zwölf und ein halb": 12.5,
        "neun Komma neun neun": 9.99,
        "null Komma fünf": 0.5,
        "dreieinhalb": 3.5,
        "anderthalb": 1.5,
        "fünfdreiviertel": 5.75,
        "1.234.567,5": 1234567.5,
        "0,5": 0.5,
        "zwei ein halb": 2.5,
        "Komma": None,
        "minus zwölf Komma zwei fünf": -12.25,
    },
    ("money", "en-US"): {
        "twelve fifty": "12.50",
        "twelve dollars and fifty cents": "12.5",
        "a hundred euros": "100",
        "$12.50": "12.5",
        "fifty cents": "0.5",
        "a dollar ten": "1.1",
        "twelve oh five": "12.05",
        "nineteen ninety nine": "19.99",
        "$1,234.00": "1234",
        "-$5.00": "-5",
        "five hundred fifty": "550",
        "12 dollars": "12",
        "a dollar": "1",
        "twelve five": None,
        "twelve and a half dollars": "12.5",
        "5 bucks": "5",
        "lots": None,
        "it's twelve fifty please": "12.5",
        "$12 and 50 cents": "12.5",
        "$5": "5",
        "a lot of dollars": None,
        "12.50": "12.5",
        "150 cents": "1.5",
        "five ninety nine": "5.99",
        "a hundred and twenty dollars": "120",
        "one thousand dollars": "1000",
        "twenty five cents": "0.25",
        "two dollars five cents": "2.05",
        "It's $99.99.": "99.99",
        "ninety nine dollars and ninety nine cents": "99.99",
        "three fifty": "3.5",
        "ten euros": "10",
        "$1,200": "1200",
        "one dollar": "1",
        "fifty": "50",
        "fifty bucks please": "50",
        "fifteen hundred dollars": "1500",
        "€12": "12",
        "12 USD": "12",
        "twelve dollars and": "12",
        "minus ten dollars": "-10",
        "a penny": "0.01",
        "half a dollar": None,
        "money": None,
        "two hundred fifty dollars and ten cents": "250.1",
        "7.5 dollars": "7.5",
        "one hundred point five dollars": "100.5",
        "one hundred twenty three dollars and forty five cents": "123.45",
        "like twenty bucks": "20",
        "twenty": "20",
        "forty nine ninety five": "49.95",
        "one ninety nine": "1.99",
        "two thousand five hundred": "2500",
        "a thousand dollars": "1000",
        "US$ 50": "50",
        "12 dollars 50": "12.5",
        "zero dollars": "0",
        "eleven hundred": "1100",
        "ten pounds fifty": "10.5",
        "three dollars and a half": None,
        "three and a half dollars": "3.5",
        "a couple dollars": None,
        "twelve point five zero": "12.5",
        "$ 12.50": "12.5",
        "12.5": "12.5",
        "one million dollars": "1000000",
        "fifty thousand": "50000",
        "a buck fifty": "1.5",
        "thirty-five dollars": "35",
    },
    ("money", "de"): {
        "12,50 Euro": "12.5",
        "zwölf Euro fünfzig": "12.5",
        "fünfzig Cent": "0.5",
        "zwölf fünfzig": "12.5",
        "ein Euro zehn": "1.1",
        "hundert Euro": "100",
        "1.234,00 €": "1234",
        "-5,00 €": "-5",
        "zwölf Euro und fünf Cent": "12.05",
        "eins neunundneunzig": "1.99",
        "zwei Komma fünf Euro": "2.5",
        "viel Geld": None,
        "fünf neunundneunzig": "5.99",
        "hundertzwanzig Euro": "120",
        "tausend Euro": "1000",
        "fünfundzwanzig Cent": "0.25",
        "zwei Euro fünf": "2.05",
        "99,99 €": "99.99",
        "drei fünfzig": "3.5",
        "zwölfeinhalb Euro": "12.5",
        "1.200 Euro": "1200",
        "einen Euro": "1",
        "fünfzig": "50",
        "50 Euro bitte": "50",
        "minus zehn Euro": "-10",
        "ein Cent": "0.01",
        "12 EUR": "12",
        "zehn Dollar": "10",
        "zwei Euro und fünfzig Cent": "2.5",
        "12.50 Euro": "12.5",
        "zweitausendfünfhundert Euro": "2500",
        "nichts": None,
        "einhundertdreiundzwanzig Euro fünfundvierzig": "123.45",
        "so zwanzig Euro": "20",
        "neunundvierzig fünfundneunzig": "49.95",
        "zweitausend": "2000",
        "ein Euro fünfzig": "1.5",
        "eins fünfzig": "1.5",
        "null Euro": "0",
        "zehn Franken": "10",
        "zehn Euro null fünf": "10.05",
        "12 Euro 50": "12.5",
        "€ 12,50": "12.5",
        "dreieinhalb Euro": "3.5",
        "eine Million Euro": "1000000",
        "tausendfünfhundert": "1500",
        "fünfzehnhundert Euro": "1500",
        "2,5 Euro": "2.5",
        "anderthalb Euro": "1.5",
        "etwa zehn Euro": None,
    },
    ("date", "en-US"): {
        "January fifth": "2027-01-05",
        "the fifth of January 2027": "2027-01-05",
        "next tuesday": "2026-12-01",
        "tomorrow": "2026-11-27",
        "the day after tomorrow": "2026-11-28",
        "today": "2026-11-26",
        "in three days": "2026-11-29",
        "5/1": "2027-05-01",
        "thursday": "2026-12-03",
        "January 5th": "2027-01-05",
        "January 5, 2027": "2027-01-05",
        "february thirtieth": None,
        "february twenty ninth": "2028-02-29",
        "the fifth": "2026-12-05",
        "december twenty fifth twenty twenty six": "2026-12-25",
        "on monday": "2026-11-30",
        "two weeks from now": "2026-12-10",
        "in a week": "2026-12-03",
        "next week": None,
        "tuesday january fifth": "2027-01-05",
        "monday january fifth": None,
        "May 3rd": "2027-05-03",
        "11/26": "2026-11-26",
        "11/25": "2027-11-25",
        "5/1/87": "1987-05-01",
        "2027-01-05": "2027-01-05",
        "july fourth two thousand and twenty eight": "2028-07-04",
        "march": None,
        "banana": None,
        "13/40": None,
        "Friday.": "2026-11-27",
        "this friday": "2026-11-27",
        "nineteen": None,
        "June 3rd nineteen eighty five": "1985-06-03",
        "the thirty first": "2026-12-31",
        "a week from today": "2026-12-03",
        "wednesday": "2026-12-02",
        "next thursday": "2026-12-03",
        "this coming monday": "2026-11-30",
        "next monday please": "2026-11-30",
        "December first": "2026-12-01",
        "the 1st of December": "2026-12-01",
        "Dec 1": "2026-12-01",
        "twenty fifth of december": "2026-12-25",
        "december twenty five": "2026-12-25",
        "march 3 2027": "2027-03-03",
        "11/30/2026": "2026-11-30",
        "11-30-2026": "2026-11-30",
        "in two weeks": "2026-12-10",
        "in a fortnight": "2026-12-10",
        "three days from now": "2026-11-29",
        "yesterday": "2026-11-25",
        "April thirty first": None,
        "my birthday is May fifth nineteen eighty": "1980-05-05",
        "on the second": "2026-12-02",
        "Tuesday, December 1": "2026-12-01",
        "Wednesday, December 1": None,
        "two thousand twenty seven": None,
        "soon": None,
        "February 29 2027": None,
        "the day before yesterday": "2026-11-24",
        "it's tomorrow": "2026-11-27",
        "january fifth twenty twenty seven": "2027-01-05",
        "the fifth of january twenty oh five": "2005-01-05",
        "sunday the twenty ninth": "2026-11-29",
        "november twenty sixth": "2026-11-26",
        "november twenty fifth": "2027-11-25",
        "January 5th, 2027.": "2027-01-05",
        "next friday the fourth": "2026-12-04",
        "friday december fourth": "2026-12-04",
        "friday the fourth of december": "2026-12-04",
        "the twenty-second": "2026-12-22",
        "the 22nd": "2026-12-22",
        "1/5/27": "2027-01-05",
        "january the fifth": "2027-01-05",
        "a week from tomorrow": "2026-12-04",
        "in one week": "2026-12-03",
        "in 10 days": "2026-12-06",
        "december thirty first two thousand twenty six": "2026-12-31",
        "tomorrow please": "2026-11-27",
        "how about tuesday": "2026-12-01",
        "tuesday works": "2026-12-01",
        "sometime in january": None,
        "oh one oh five twenty twenty seven": None,
        "five twenty seven": None,
        "the first": "2026-12-01",
        "new year's eve": None,
        "the day after": None,
        "two days ago": None,
        "june twenty second": "2027-06-22",
        "saturday, please": "2026-11-28",
        "march 31st 1999": "1999-03-31",
        "3 march 2027": "2027-03-03",
        "today's fine": None,
        "tomorrow morning": "2026-11-27",
        "on tuesday next week": None,
    },
    ("date", "en-GB"): {
        "5/1": "2027-01-05",
        "3/4": "2027-04-03",
        "3/4/2027": "2027-04-03",
        "the third of april": "2027-04-03",
        "13/1": "2027-01-13",
    },
    ("date", "de"): {
        "am fünften Januar": "2027-01-05",
        "nächsten Dienstag": "2026-12-01",
        "übermorgen": "2026-11-28",
        "in zwei Wochen": "2026-12-10",
        "5.1.": "2027-01-05",
        "5. Januar": "2027-01-05",
        "am fünften ersten": "2027-01-05",
        "fünfter Erster zweitausendsiebenundzwanzig": "2027-01-05",
        "heute": "2026-11-26",
        "morgen": "2026-11-27",
        "Sonnabend": "2026-11-28",
        "der dritte März": "2027-03-03",
        "am 24. Dezember 2026": "2026-12-24",
        "5.1.2027": "2027-01-05",
        "30. Februar": None,
        "in einer Woche": "2026-12-03",
        "am Montag": "2026-11-30",
        "kommenden Freitag": "2026-11-27",
        "Montag, 30. November": "2026-11-30",
        "nächste Woche": None,
        "am einunddreißigsten zwölften": "2026-12-31",
        "dritter März neunzehnhundertfünfundachtzig": "1985-03-03",
        "am 5.1.": "2027-01-05",
        "am 5. 1. 2027": "2027-01-05",
        "Mittwoch": "2026-12-02",
        "am nächsten Donnerstag": "2026-12-03",
        "diesen Montag": "2026-11-30",
        "erster Dezember": "2026-12-01",
        "am 1. Dezember": "2026-12-01",
        "1.12.": "2026-12-01",
        "1.12.2026": "2026-12-01",
        "01.12.26": "2026-12-01",
        "der fünfundzwanzigste Dezember": "2026-12-25",
        "fünfundzwanzigster zwölfter": "2026-12-25",
        "in drei Tagen": "2026-11-29",
        "in vierzehn Tagen": "2026-12-10",
        "gestern": "2026-11-25",
        "31. April": None,
        "am zweiten": "2026-12-02",
        "Dienstag, der erste Dezember": "2026-12-01",
        "Sonntag den neunundzwanzigsten": "2026-11-29",
        "irgendwann": None,
        "am dritten April zweitausendachtundzwanzig": "2028-04-03",
        "29.2.": "2028-02-29",
        "heute in einer Woche": "2026-12-03",
        "erster erster": "2027-01-01",
        "3. 4.": "2027-04-03",
        "ja, morgen bitte": "2026-11-27",
        "am Samstag": "2026-11-28",
        "Ich bin am 3.5.1980 geboren": "1980-05-03",
        "5. Mai 1980": "1980-05-05",
        "fünfter Mai achtzig": "1980-05-05",
        "Freitag, den vierten Dezember": "2026-12-04",
        "Freitag der vierte zwölfte": "2026-12-04",
        "am zweiundzwanzigsten": "2026-12-22",
        "den 22.": "2026-12-22",
        "in zehn Tagen": "2026-12-06",
        "am einunddreißigsten Dezember zweitausendsechsundzwanzig": "2026-12-31",
        "am ersten": "2026-12-01",
        "am fünften Ersten siebenundzwanzig": "2027-01-05",
        "morgen früh": "2026-11-27",
        "wie wäre es mit Dienstag": "2026-12-01",
        "Dienstag wäre gut": "2026-12-01",
        "Silvester": None,
        "am dritten Juno": "2027-06-03",
        "3.3.27": "2027-03-03",
        "03.03.2027": "2027-03-03",
        "Ich möchte am Freitag": "2026-11-27",
        "der 5.": "2026-12-05",
        "am 5. Dezember.": "2026-12-05",
        "vor zwei Tagen": None,
        "nächsten Samstag bitte": "2026-11-28",
    },
    ("time", "en-US"): {
        "half past nine": "09:30",
        "quarter to five pm": "16:45",
        "nine thirty": "09:30",
        "nine a.m.": "09:00",
        "noon": "12:00",
        "midnight": "00:00",
        "three": "15:00",
        "six thirty": "18:30",
        "seven": "07:00",
        "9 PM": "21:00",
        "9:30": "09:30",
        "09:30": "09:30",
        "06:30": "06:30",
        "14:00": "14:00",
        "fourteen hundred hours": "14:00",
        "nine o'clock": "09:00",
        "ten past four": "16:10",
        "five to nine in the evening": "20:55",
        "twelve thirty am": "00:30",
        "nine oh five": "09:05",
        "at 9am": "09:00",
        "seven in the morning": "07:00",
        "eleven at night": "23:00",
        "25:00": None,
        "nine seventy": None,
        "whenever": None,
        "quarter after three": "15:15",
        "9:30 p.m.": "21:30",
        "half nine": "09:30",
        "930": "09:30",
        "twelve": "12:00",
        "a quarter past ten": "10:15",
        "twenty to six": "17:40",
        "five thirty in the morning": "05:30",
        "fourteen am": None,
        "eighteen thirty": "18:30",
        "ten": "10:00",
        "ten fifteen": "10:15",
        "at ten o'clock in the morning": "10:00",
        "five pm": "17:00",
        "5 p.m.": "17:00",
        "quarter past five": "17:15",
        "ten to twelve": "11:50",
        "twelve fifteen": "12:15",
        "12:15 am": "00:15",
        "half past twelve": "12:30",
        "twenty three hundred": "23:00",
        "oh six hundred": "06:00",
        "1 pm": "13:00",
        "around noon": "12:00",
        "eight in the evening": "20:00",
        "eight at night": "20:00",
        "two in the morning": "02:00",
        "two in the afternoon": "14:00",
        "six": "18:00",
        "six am": "06:00",
        "quarter to seven": "18:45",
        "eleven fifty nine pm": "23:59",
        "sixty": None,
        "seven minutes past eight": "08:07",
        "9:75": None,
        "0:30": "00:30",
        "tomorrow": None,
        "3:00 PM.": "15:00",
        "let's say three": "15:00",
        "quarter of five": "16:45",
        "7pm": "19:00",
        "nine forty-five": "09:45",
        "a quarter to nine": "08:45",
        "half past midnight": "00:30",
        "noon thirty": None,
        "13:05": "13:05",
        "it's nine": "09:00",
        "ten thirty in the morning": "10:30",
        "10 o'clock": "10:00",
        "10 a m": "10:00",
        "5 30 pm": "17:30",
        "five after three": "15:05",
        "twelve noon": "12:00",
        "twelve midnight": "00:00",
        "twelve o'clock at night": "00:00",
        "three in the afternoon please": "15:00",
        "half past three": "15:30",
        "eight thirty a.m.": "08:30",
        "one": "13:00",
        "five to eight pm": "19:55",
        "ten till four": "15:50",
        "this afternoon at four": "16:00",
        "tonight at eight": "20:00",
        "at eight tonight": "20:00",
        "seven forty five p m": "19:45",
        "twenty past eleven": "11:20",
        "1530": "15:30",
        "15 30": "15:30",
        "anytime": None,
        "five minutes to nine": "08:55",
        "zero hundred hours": None,
        "oh nine thirty": "09:30",
        "after five": None,
        "at seven or eight": None,
        "11:00": "11:00",
        "2 o'clock in the morning": "02:00",
        "9 o clock": "09:00",
        "at half past 4": "16:30",
    },
    ("time", "de"): {
        "halb zehn": "09:30",
        "Viertel nach neun": "09:15",
        "neun Uhr dreißig": "09:30",
        "14 Uhr": "14:00",
        "14:30 Uhr": "14:30",
        "14.30 Uhr": "14:30",
        "um drei": "15:00",
        "fünf vor halb neun": "08:25",
        "viertel vor fünf": "16:45",
        "dreiviertel acht": "07:45",
        "acht Uhr abends": "20:00",
        "Mitternacht": "00:00",
        "zwölf Uhr mittags": "12:00",
        "null Uhr fünf": "00:05",
        "um ein Uhr": "13:00",
        "neun Uhr fünf": "09:05",
        "morgens um sieben": "07:00",
        "9:30 Uhr": "09:30",
        "fünfzehn Uhr": "15:00",
        "irgendwann": None,
        "zehn nach sechs Uhr abends": "18:10",
        "zwölf Uhr nachts": "00:00",
        "viertel drei": "14:15",
        "zehn": "10:00",
        "zehn Uhr fünfzehn": "10:15",
        "siebzehn Uhr": "17:00",
        "viertel nach fünf": "17:15",
        "zehn vor zwölf": "11:50",
        "halb eins": "12:30",
        "halb drei nachmittags": "14:30",
        "fünf nach halb drei": "14:35",
        "acht Uhr morgens": "08:00",
        "um acht Uhr abends": "20:00",
        "drei Uhr nachts": "03:00",
        "23:59": "23:59",
        "dreiundzwanzig Uhr neunundfünfzig": "23:59",
        "vierundzwanzig Uhr": "00:00",
        "24:00": "00:00",
        "null Uhr": "00:00",
        "Mittag": "12:00",
        "um halb neun abends": "20:30",
        "sieben Uhr früh": "07:00",
        "sechs": "18:00",
        "06:00 Uhr": "06:00",
        "sechs Uhr früh": "06:00",
        "fünf Minuten vor zehn": "09:55",
        "25 Uhr": None,
        "neun Uhr siebzig": None,
        "später": None,
        "ein Uhr dreißig": "13:30",
        "14 Uhr 5": "14:05",
        "drei viertel neun": "08:45",
        "9 Uhr": "09:00",
        "gegen vier": "16:00",
        "am Nachmittag um vier": "16:00",
        "zehn Uhr dreißig morgens": "10:30",
        "siebzehn Uhr dreißig": "17:30",
        "um 17:30 Uhr": "17:30",
        "fünf nach drei": "15:05",
        "zwölf Uhr": "12:00",
        "um halb vier": "15:30",
        "kurz nach drei": None,
        "zwanzig nach elf": "11:20",
        "zwanzig vor sechs": "17:40",
        "heute Abend um acht": "20:00",
        "acht Uhr am Abend": "20:00",
        "neun Uhr früh": "09:00",
        "um eins": "13:00",
        "halb acht Uhr": "07:30",
        "Viertel nach sieben abends": "19:15",
        "viertel neun": "08:15",
        "fünf Uhr nachmittags": "17:00",
        "16 Uhr 45": "16:45",
        "zwei Uhr nachts": "02:00",
        "siebzehn dreißig": "17:30",
        "nach fünf": None,
        "um elf Uhr vormittags": "11:00",
        "9.30": "09:30",
        "um neun": "09:00",
        "drei Uhr fünfzehn am Nachmittag": "15:15",
        "zehn vor halb fünf": "16:20",
        "elf Uhr nachts": "23:00",
    },
    ("phone", "en-US"): {
        "plus one five five five one two three four": "+15551234",
        "two": None,
        "(555) 123-4567": "5551234567",
        "+1 555 123 4567": "+15551234567",
        "my number is five five five oh one hundred": "5550100",
        "call me": None,
        "five five five one two three four": "5551234",
        "one eight hundred five five five one two three four": "18005551234",
        "911": "911",
        "one two": None,
        "plus forty four twenty": "+4420",
        "5 5 5 dash 1 2 3 4": None,
        "+49 30 123456": "+4930123456",
        "it's 555 1234": "5551234",
        "area code five five five, one two three, four five six seven": "5551234567",
        "my phone number is 555-123-4567": "5551234567",
        "eight hundred five five five one two one two": "8005551212",
        "1-800-555-1212": "18005551212",
        "five five five twelve twelve": "5551212",
        "oh two oh seven nine four six": "0207946",
    },
    ("phone", "de"): {
        "plus neunundvierzig dreißig eins zwei drei": "+4930123",
        "null drei null eins zwei drei": "030123",
        "+49 30 1234": "+49301234",
        "eins eins null": "110",
        "zwei": None,
        "meine Handynummer ist 0176 1234567": "01761234567",
    },
    ("int", "en-US"): {
        "five": 5,
        "twenty-five": 25,
        "two and a half": None,
        "one two three": 123,
        "1,200": 1200,
        "minus three": -3,
        "three point zero": None,
        "four": 4,
        "a dozen": None,
        "forty-two": 42,
        "one hundred and one": 101,
        "three hundred thousand and five": 300005,
        "ten million": 10000000,
        "zero": 0,
        "negative seven": -7,
        "just five please": 5,
        "about five": None,
        "Three.": 3,
        "there are four of us": None,
        "four people": None,
        "one": 1,
        "a hundred": 100,
        "for": 4,
        "two hundred and twenty two thousand two hundred and twenty two": 222222,
        "minus one hundred": -100,
    },
    ("int", "de"): {
        "vier": 4,
        "einundzwanzig": 21,
        "hunderteins": 101,
        "dreihunderttausendfünf": 300005,
        "minus sieben": -7,
        "zwei Millionen": 2000000,
        "null": 0,
        "eine": None,
        "tausend und eins": 1001,
        "3": 3,
        "fünfundzwanzigtausend": 25000,
    },
    ("date", "de-AT"): {
        "5. Jänner": "2027-01-05",
        "fünfter Januar": "2027-01-05",
    },
    ("text", "en"): {
        "  Jane Doe ": "Jane Doe",
        "   ": None,
    },
}
ROWS = [(kind, lang, text, wanted) for (kind, lang), table in SAID.items() for text, wanted in table.items()]


def said(kind: str, text: str, lang: str, **more: Any) -> Any:
    return value(kind, text, lang, NOW, **more)


@pytest.mark.parametrize(("kind", "lang", "text", "wanted"), ROWS)
def test_what_is_said(kind: str, lang: str, text: str, wanted: Any) -> None:
    found = said(kind, text, lang)
    assert found == fit(kind, wanted)
    assert fit(kind, found) == found


def test_one_thing_is_of_the_type_of_the_variable() -> None:
    assert isinstance(said("money", "twelve", "en"), Decimal)
    assert isinstance(said("number", "twelve", "en"), int)
    assert isinstance(said("number", "twelve and a half", "en"), float)
    assert said("yesno", "yes please", "en") is True
    assert said("bool", "nein", "de") is False
    assert said("list", "one two", "en") is None


@pytest.mark.parametrize(
    ("text", "length", "wanted"),
    [
        ("twenty two", (2, 2), "22"),
        ("twenty two", (3, 3), "202"),
        ("twenty two", (1, 30), "22"),
        # Of no reading's length: it is given, to be called too short.
        ("twenty two", (6, 6), "22"),
    ],
)
def test_the_length_chooses_between_readings_of_digits(text: str, length: tuple[int, int], wanted: str) -> None:
    assert said("digits", text, "en", length=length) == wanted


def test_a_date_is_counted_from_the_day_of_the_zone() -> None:
    late = datetime(2026, 12, 31, 23, 30, tzinfo=ZoneInfo("America/New_York"))
    assert value("date", "tomorrow", "en-US", late) == date(2027, 1, 1)
    assert value("date", "December thirty first", "en-US", late) == date(2026, 12, 31)
    assert value("date", "the thirtieth", "en-US", late) == date(2027, 1, 30)
    assert value("date", "tomorrow", "en-US", datetime(9999, 12, 31, tzinfo=ZoneInfo("UTC"))) is None


@pytest.mark.parametrize("lang", ["en-US", "de"])
def test_a_weekday_is_one_of_the_seven_days_after_today(lang: str) -> None:
    names = {
        "en-US": ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"],
        "de": ["Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag", "Samstag", "Sonntag"],
    }
    for weekday, name in enumerate(names[lang]):
        found = said("date", name, lang)
        assert found.weekday() == weekday
        assert 1 <= (found - NOW.date()).days <= 7


SIZES = ("small", "extra_large", "large")
HEARD = {
    "small": Phrases({"en": (Phrase("little", PLACE),), "de": (Phrase("klein", PLACE), Phrase("kleine", PLACE))}),
    "large": Phrases({"en": (Phrase("big", PLACE),), "de": (Phrase("groß", PLACE), Phrase("große", PLACE))}),
}


@pytest.mark.parametrize(
    ("text", "lang", "wanted"),
    [
        ("the little one please", "en-US", "small"),
        ("small", "en", "small"),
        ("Extra large!", "en", "extra_large"),
        ("large", "en", "large"),
        ("two", "en", "extra_large"),
        ("number three", "en", "large"),
        ("small or big", "en", None),
        ("four", "en", None),
        ("medium", "en", None),
        ("eine große bitte", "de", "large"),
        ("gross", "de", "large"),
        ("die eins", "de", "small"),
        ("little", "de", None),
        ("little", "fr", "small"),
    ],
)
def test_an_enum_is_heard_as_a_menu_is(text: str, lang: str, wanted: str | None) -> None:
    found = said("enum", text, lang, choices=SIZES, phrases=HEARD, default="en")
    assert found == wanted
    assert fit("enum", found, SIZES) == found


@pytest.mark.parametrize(
    ("kind", "keys", "lang", "wanted"),
    [
        ("digits", "0042", "en-US", "0042"),
        ("digits", "00*2", "en-US", None),
        ("digits", "", "en-US", None),
        ("text", "12*", "en-US", "12*"),
        ("text", "", "en-US", None),
        ("phone", "5551234", "en-US", "5551234"),
        ("phone", "55", "en-US", None),
        ("phone", "1" * 16, "en-US", None),
        ("int", "007", "en-US", 7),
        ("int", "1*5", "en-US", None),
        ("int", "1" * 16, "en-US", None),
        ("number", "3*14", "en-US", 3.14),
        ("number", "3*", "de", 3),
        ("number", "12", "en-US", 12),
        ("number", "1*2*3", "en-US", None),
        ("number", "*", "en-US", None),
        ("money", "12*50", "en-US", Decimal("12.5")),
        ("money", "*5", "de", Decimal("0.5")),
        ("money", "12", "de", Decimal(12)),
        ("date", "01052026", "en-US", date(2026, 1, 5)),
        ("date", "05012026", "en-GB", date(2026, 1, 5)),
        ("date", "05012026", "de", date(2026, 1, 5)),
        ("date", "20260105", "en-CA", date(2026, 1, 5)),
        ("date", "13012026", "en-US", None),
        ("date", "30022026", "de", None),
        ("date", "1052026", "en-US", None),
        ("date", "01050000", "en-US", None),
        ("time", "0930", "en-US", time(9, 30)),
        ("time", "2359", "de", time(23, 59)),
        ("time", "2400", "de", None),
        ("time", "930", "en-US", None),
        ("time", "9", "en-US", None),
        ("yesno", "1", "en-US", True),
        ("bool", "2", "de", False),
        ("yesno", "3", "en-US", None),
        ("enum", "1", "en-US", "small"),
        ("enum", "03", "en-US", "large"),
        ("enum", "4", "en-US", None),
        ("enum", "0", "en-US", None),
        ("list", "1", "en-US", None),
        ("int", "A", "en-US", None),
        ("int", "²", "en-US", None),
    ],
)
def test_what_is_keyed(kind: str, keys: str, lang: str, wanted: Any) -> None:
    found = by_keys(kind, keys, lang, SIZES)
    assert found == wanted
    assert type(found) is type(wanted)
    assert fit(kind, found) == found


def test_how_many_keys_a_value_has() -> None:
    assert key_count("date") == (8, 8)
    assert key_count("time") == (4, 4)
    assert key_count("yesno") == key_count("bool") == (1, 1)
    assert key_count("enum", SIZES) == (1, 1)
    assert key_count("enum", tuple("abcdefghij")) == (1, 2)
    assert key_count("digits") == key_count("text") == (1, 30)
    assert key_count("phone") == (3, 15)
    assert key_count("int") == (1, 15)
    assert key_count("money") == key_count("number") == (1, 16)


PARTS = st.sampled_from([word for text in (row[2] for row in ROWS) for word in text.split()])


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.text(max_size=80), st.lists(PARTS, max_size=12).map(" ".join)), st.sampled_from(LANGUAGES))
def test_any_text_gives_a_value_of_the_type_or_none(text: str, lang: str) -> None:
    for kind in KINDS:
        found = said(kind, text, lang, choices=SIZES, phrases=HEARD)
        assert fit(kind, found, SIZES if kind == "enum" else ()) == found


@pytest.mark.parametrize(
    "text",
    [
        "tausend" * 5000,
        "9" * 5000,
        "hundred " * 5000,
        "und" * 5000,
        "1." * 5000,
        "- " * 5000,
        "oh " * 5000,
        "half " * 5000,
        "halb " * 5000,
    ],
)
def test_what_is_long_is_read_as_well(text: str) -> None:
    for kind in KINDS:
        for lang in ("en", "de"):
            said(kind, text, lang)


ONES = {
    "en-US": ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
    "de": ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"],
}
REPEATS = {"en-US": ["double", "triple"], "de": ["doppel", "dreifach"]}


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(["en-US", "de"]))
def test_digits_that_are_spelled_out_come_back(data: st.DataObject, lang: str) -> None:
    spoken: list[str] = []
    digits = ""
    for digit in data.draw(st.lists(st.integers(0, 9), min_size=1, max_size=12)):
        times = data.draw(st.integers(1, 3))
        word = data.draw(st.sampled_from([ONES[lang][digit], str(digit)]))
        spoken.append(f"{REPEATS[lang][times - 2]} {word}" if times > 1 else word)
        digits += str(digit) * times
    assert said("digits", " ".join(spoken), lang) == digits
    assert said("digits", ", ".join(spoken) + ".", lang) == digits


@settings(max_examples=200, deadline=None)
@given(
    st.decimals(-(10**9), 10**9, places=2, allow_nan=False),
    st.sampled_from(["en-US", "en-GB", "en-CA", "de", "de-AT", "de-CH"]),
    st.sampled_from(["USD", "EUR", "GBP", "CHF", "JPY", "SEK", "BRL", "INR"]),
)
def test_an_amount_is_understood_as_it_is_written(value_: Decimal, lang: str, currency: str) -> None:
    exact = value_ if currency != "JPY" else Decimal(int(value_))
    assert said("money", amount(exact, Format(lang), currency), lang) == exact


@settings(max_examples=100, deadline=None)
@given(st.dates(date(2026, 11, 26), date(2027, 11, 25)), st.times(), st.sampled_from(["en-US", "en-GB", "de", "de-AT"]))
def test_dates_and_times_are_understood_as_they_are_written(day_: date, time_: time, lang: str) -> None:
    assert said("date", day(day_, Format(lang)), lang) == day_
    assert said("date", day_.isoformat(), lang) == day_
    exact = time_.replace(second=0, microsecond=0)
    found = said("time", clock(exact, Format(lang)), lang)
    # German writes 3:05 Uhr for the night: it is read as a caller would mean it.
    assert found == exact or (
        lang in ("de", "de-AT") and abs(found.hour - exact.hour) == 12 and found.minute == exact.minute
    )


@given(st.text(max_size=60), st.sampled_from(LANGUAGES))
def test_folding_a_folded_text_changes_nothing(text: str, lang: str) -> None:
    once = fold(text, lang)
    assert fold(once, lang) == once


def test_words_of_one_spelling() -> None:
    assert {fold(word, "de") for word in ("fünf", "FÜNF", "fuenf", "funf")} == {"funf"}
    assert fold("Straße", "de") == fold("STRASSE", "de") == "strasse"
    assert fold("neue Quelle", "de") == "neue quelle"
    assert fold("Café blue", "en") == "cafe blue"
