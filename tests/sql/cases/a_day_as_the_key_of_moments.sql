SELECT v.ident, p.ident FROM visit v JOIN parcel p ON v.day = p.sent_at WHERE p.ident < 5
