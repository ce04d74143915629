//! Generates the code of `#[job]` beside the item: its declaration, and for a struct the
//! implementation of `Declared`.
//!
//! The item itself is not changed. The generated code defines no names, so nothing can clash, and
//! all its paths begin with `fastjob_executor::__private`, or with the crate that `crate = "…"` names.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, format_ident, quote, quote_spanned};
use syn::{Generics, LitStr, Result, Type, ext::IdentExt};

use crate::{
    args::Args,
    item::{Arg, Call, Item, Shape, span_of},
    value::wrong,
};

/// The whole expansion. After an error it is the item and the errors.
pub(crate) fn job(args: TokenStream, item: TokenStream) -> TokenStream {
    match declare(args, item.clone()) {
        Ok(declared) => quote! { #item #declared },
        Err(err) => {
            let errors = err.into_compile_error();
            quote! { #item #errors }
        }
    }
}

fn declare(args: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let (args, item) = match (syn::parse2::<Args>(args), syn::parse2::<Item>(item)) {
        (Ok(args), Ok(item)) => (args, item),
        (Err(mut err), Err(other)) => {
            err.combine(other);
            return Err(err);
        }
        (Err(err), Ok(_)) | (Ok(_), Err(err)) => return Err(err),
    };
    let Item { ident, cfgs, .. } = &item;
    let private = private(&args, Span::call_site());
    let of_function = match &item.shape {
        Shape::Fn(call) => call.param(),
        Shape::Struct { .. } => None,
    };
    if let (Some(ty), Some(_)) = (&args.param_type, of_function) {
        let message = format_args!("the function's param has a type: remove `param_type`");
        return Err(wrong(ty, message));
    }
    let param = of_function.or(args.param_type.as_ref());
    Ok(match &item.shape {
        Shape::Struct { stateful, generics } => {
            let declared = declared(&args, &item, param, *stateful, generics);
            let submit = generics.params.is_empty().then(|| {
                quote! {
                    #(#cfgs)*
                    #private::inventory::submit! {
                        <#ident as #private::Declared>::DECLARATION
                    }
                }
            });
            quote! { #(#cfgs)* #declared #submit }
        }
        Shape::Fn(call) => {
            let make = make_fn(&args, ident, call);
            let type_id = quote!(::core::option::Option::Some(|| #private::type_of(&#ident)));
            let declaration = declaration(&args, &item, param, &make, &type_id);
            quote! { #(#cfgs)* #private::inventory::submit! { #declaration } }
        }
    })
}

/// The path to everything that the expansion uses, with the span `at`.
fn private(args: &Args, at: Span) -> TokenStream {
    match &args.krate {
        None => quote_spanned!(at=> ::fastjob_executor::__private),
        Some(path) => {
            let path = respanned(path.to_token_stream(), at);
            quote_spanned!(at=> #path::__private)
        }
    }
}

/// The tokens with another span.
fn respanned(tokens: TokenStream, at: Span) -> TokenStream {
    let respan = |mut tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            tree = Group::new(group.delimiter(), respanned(group.stream(), at)).into();
        }
        tree.set_span(at);
        tree
    };
    tokens.into_iter().map(respan).collect()
}

/// The constant that describes a handler, except for its state.
fn declaration(
    args: &Args,
    item: &Item,
    param: Option<&Type>,
    make: &TokenStream,
    type_id: &TokenStream,
) -> TokenStream {
    let (private, name, setters) = (private(args, Span::call_site()), &args.name, args.setters());
    let description = args.value("description").cloned().or_else(|| {
        item.description.as_ref().map(|text| {
            let text = LitStr::new(text, item.ident.span());
            quote!(#text)
        })
    });
    let describe = description.as_ref().map(|text| quote!(.description(#text)));
    let description = description.unwrap_or_else(|| quote!(""));
    let service = match args.value("service") {
        Some(service) => quote!(::core::option::Option::Some(#service)),
        None => quote!(::core::option::Option::None),
    };
    let path = item.ident.unraw().to_string();
    let schema = match param {
        Some(ty) => quote! {
            || {
                use #private::schema::*;
                (&#private::schema::Probe::<#ty>::new()).__fastjob_schema()
            }
        },
        None => quote!(|| ::core::option::Option::None),
    };
    quote! {
        #private::Declaration {
            name: #name,
            description: #description,
            service: #service,
            draft: || #private::Draft::new(#name) #describe #setters.done(),
            make: #make,
            function: #type_id,
            schema: #schema,
            path: ::core::concat!(::core::module_path!(), "::", #path),
            place: ::core::panic::Location::caller(),
        }
    }
}

/// `impl Declared`. This is where the compiler reports a struct that does not implement
/// `JobHandler`. A generic struct is checked where a value of it is registered, because it may
/// implement the trait only for some parameters.
fn declared(
    args: &Args,
    item: &Item,
    param: Option<&Type>,
    stateful: bool,
    generics: &Generics,
) -> TokenStream {
    let ident = &item.ident;
    let at = span_of(None, ident);
    let (here, there) = (private(args, Span::call_site()), private(args, at));
    let make = match (generics.params.is_empty(), stateful) {
        (true, false) => quote_spanned! {at=>
            ::core::option::Option::Some(|_| #there::from_struct(#ident {}))
        },
        (true, true) => quote_spanned!(at=> #there::stateful::<#ident>()),
        (false, _) => quote!(::core::option::Option::None),
    };
    let declaration = declaration(args, item, param, &make, &quote!(::core::option::Option::None));
    let (parameters, arguments, conditions) = generics.split_for_impl();
    quote! {
        #[automatically_derived]
        impl #parameters #here::Declared for #ident #arguments #conditions {
            const DECLARATION: #here::Declaration = #declaration;
        }
    }
}

/// A closure from the executor's states to the handler of an `async fn`, which is a closure from the
/// context to the boxed future of one attempt.
///
/// Each call has the span of the user's type that it concerns, so that compiler errors point there.
fn make_fn(args: &Args, ident: &Ident, call: &Call) -> TokenStream {
    let at_name = span_of(None, ident);
    let at_output = span_of(call.output.as_ref(), ident);
    let name = &args.name;
    let (mut values, mut fetched, mut cloned) = (Vec::new(), Vec::new(), Vec::new());
    for (number, arg) in call.args.iter().enumerate() {
        let at = span_of(Some(arg.ty()), ident);
        let private = private(args, at);
        match arg {
            Arg::Context(_) => values.push(quote_spanned!(at=> __ctx)),
            Arg::Param(_) => values.push(quote_spanned!(at=> #private::param(__ctx, #name)?)),
            Arg::State(ty) => {
                let mut state = format_ident!("__state{number}");
                state.set_span(at);
                fetched.push(quote_spanned!(at=> let #state = #private::state::<#ty>(__states)?;));
                cloned.push(quote_spanned!(at=> let #state = #private::Fetched::again(&#state);));
                values.push(quote!(#state));
            }
        }
    }
    let mut callee = ident.clone();
    callee.set_span(ident.span().located_at(at_output));
    let call_it = quote_spanned!(at_output=> #callee(#(#values),*).await);
    let private = private(args, at_output);
    let body = match call.output {
        None => quote_spanned! {at_output=>
            #call_it;
            #private::nothing()
        },
        Some(_) => quote_spanned! {at_output=>
            use #private::kind::*;
            let __value = #private::returned(#call_it)?;
            (&__value).__fastjob_kind().output(__value)
        },
    };
    let private = self::private(args, at_name);
    quote_spanned! {at_name=>
        ::core::option::Option::Some(|__states| {
            #(#fetched)*
            ::core::result::Result::Ok(#private::from_fn(move |__ctx| {
                #(#cloned)*
                ::std::boxed::Box::pin(async move { #body })
            }))
        })
    }
}
